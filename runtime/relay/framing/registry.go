package framing

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	requestTimeout = 5 * time.Second
	maxAnswer      = 16 << 20 // bytes; an answer holds the schema
	maxMessage     = 200      // characters of what a registry says in an error
)

// schemaID is the registry's id of a schema.
type schemaID struct {
	number uint32
	guid   []byte // 16 bytes; nil: the registry has none
}

// Find asks the registry for the schema of an event, as the relay does before it sends one.
// The error says what is missing.
func Find(ctx context.Context, c Config, topic, eventType string) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	_, err = c.lookUp(ctx, c.subject(topic, eventType))
	return err
}

// lookUp asks the registry for the newest version of a subject.
func (c *Config) lookUp(ctx context.Context, subject string) (schemaID, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Registry+"/subjects/"+url.PathEscape(subject)+"/versions/latest", http.NoBody)
	if err != nil {
		return schemaID{}, err
	}
	request.Header.Set("Accept", "application/vnd.schemaregistry.v1+json, application/json")
	request.Header.Set("User-Agent", "outboxrelay")
	if err := c.authorize(request); err != nil {
		return schemaID{}, err
	}
	response, err := c.Client.Do(request)
	if err != nil {
		return schemaID{}, fmt.Errorf("the schema registry %s cannot be reached: %w", c.Registry, cause(err))
	}
	defer response.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return schemaID{}, fmt.Errorf("the schema registry %s cannot be reached: %w", c.Registry, cause(err))
	}
	if response.StatusCode != http.StatusOK {
		return schemaID{}, c.refused(response.StatusCode, subject, body)
	}
	var found struct {
		ID         int64  `json:"id"`
		GUID       string `json:"guid"`
		SchemaType string `json:"schemaType"`
	}
	if err := json.Unmarshal(body, &found); err != nil || found.ID <= 0 || found.ID > 1<<32-1 {
		return schemaID{}, fmt.Errorf("the schema registry %s answers without a schema id for the subject %s; is this the address of Confluent's API? "+
			"Apicurio has it below /apis/ccompat/v7", c.Registry, subject)
	}
	if found.SchemaType != "JSON" {
		return schemaID{}, fmt.Errorf("the subject %s in the schema registry %s has no JSON Schema; register one with outboxgen register, or choose another subject",
			subject, c.Registry)
	}
	id := schemaID{number: uint32(found.ID)}
	if guid, err := hex.DecodeString(strings.ReplaceAll(found.GUID, "-", "")); err == nil && len(guid) == guidLength {
		id.guid = guid
	}
	return id, nil
}

// authorize adds the credentials to a request.
func (c *Config) authorize(request *http.Request) error {
	now := Credentials{c.User, c.Password, c.Token}
	if c.Credentials != nil {
		var err error
		if now, err = c.Credentials(request.Context()); err != nil {
			return fmt.Errorf("get the credentials for the schema registry %s: %w", c.Registry, err)
		}
	}
	switch {
	case now.Token != "":
		request.Header.Set("Authorization", "Bearer "+now.Token)
	case now.User != "" || now.Password != "":
		request.SetBasicAuth(now.User, now.Password)
	}
	return nil
}

// refused returns the error for an unsuccessful answer.
func (c *Config) refused(status int, subject string, body []byte) error {
	switch status {
	case http.StatusNotFound:
		return fmt.Errorf("the schema registry %s has no subject %s; register the schema, for example with outboxgen register", c.Registry, subject)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("the schema registry %s does not let this user read the subject %s (%d); check the user and the password, or the token",
			c.Registry, subject, status)
	}
	var failed struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &failed) != nil || failed.Message == "" {
		failed.Message = http.StatusText(status)
	}
	message := strings.Join(strings.Fields(failed.Message), " ")
	if runes := []rune(message); len(runes) > maxMessage {
		message = string(runes[:maxMessage]) + "…"
	}
	return fmt.Errorf("the schema registry %s answers %d for the subject %s: %s", c.Registry, status, subject, message)
}

// cause returns err without the address, which the caller names.
func cause(err error) error {
	if inURL, ok := errors.AsType[*url.Error](err); ok {
		return inURL.Err
	}
	return err
}
