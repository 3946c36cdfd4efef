package registry

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// secrets returns the forms in which a server may repeat the password.
func secrets(user, password string) []string {
	var all []string
	for _, form := range []string{
		base64.StdEncoding.EncodeToString([]byte(user + ":" + password)), base64.URLEncoding.EncodeToString([]byte(user + ":" + password)),
		url.UserPassword("", password).String()[1:], url.QueryEscape(password), url.PathEscape(password),
		base64.StdEncoding.EncodeToString([]byte(password)), fmt.Sprintf("%q", password), password,
	} {
		if form = strings.Trim(form, `"`); form != "" {
			all = append(all, form)
		}
	}
	// The longest first, so that no part of one is left over.
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// Redacted returns err without secrets. The result does not wrap err, which has them.
func (c *Client) Redacted(err error) error {
	text := err.Error()
	for _, secret := range c.secrets {
		text = strings.ReplaceAll(text, secret, "*****")
	}
	// A server may have encoded it in its own way, several times.
	for plain, i := text, 0; i < 3; i++ {
		plain = html.UnescapeString(percent.ReplaceAllStringFunc(plain, func(code string) string {
			decoded, _ := url.PathUnescape(code)
			return decoded
		}))
		for _, secret := range c.secrets {
			if holdsPart(plain, secret) || holdsPart(strings.ReplaceAll(plain, "+", " "), secret) {
				return fmt.Errorf("the registry %s failed; its message contains the password and is not shown", c.Name)
			}
		}
	}
	return errors.New(text)
}

// holdsPart reports whether the text contains the secret or a long part of it.
func holdsPart(text, secret string) bool {
	const long = 10
	if len(secret) <= long {
		return strings.Contains(text, secret)
	}
	for i := range len(secret) - long + 1 {
		if strings.Contains(text, secret[i:i+long]) {
			return true
		}
	}
	return false
}

var percent = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
