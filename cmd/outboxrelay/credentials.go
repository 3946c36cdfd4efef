package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
)

// secretFile is a file with a password or a token. It is read each time the secret is
// needed, so that somebody may write a new one while the process runs.
type secretFile struct {
	setting string
	path    string
	first   string // what it had at the start
	secrets *secret.Redactor
}

// secretFile returns the file that a setting names; nil: none is set. It reports a file
// that cannot be used now.
func (r *reader) secretFile(name string) *secretFile {
	if r.text(name) == "" {
		return nil
	}
	f := &secretFile{setting: name, path: r.text(name), secrets: r.secrets}
	first, err := f.read()
	if err != nil {
		r.problem(name, "%w", err)
	}
	f.first = first
	return f
}

// read returns the secret. A line break at the end of the file is not part of it.
func (f *secretFile) read() (string, error) {
	content, err := readSecretly(f.setting, f.path, f.secrets, f.first == "")
	if err != nil {
		return "", err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	if text == "" {
		return "", fmt.Errorf("%s is empty", fileOf(f.setting, f.path))
	}
	f.secrets.Replace(f.setting+" "+f.path, text)
	return text, nil
}

// readSecretly reads the file that a setting names. The error contains the name only if it
// cannot be the secret itself, set by mistake.
func readSecretly(setting, path string, secrets *secret.Redactor, atStart bool) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err == nil {
		return content, nil
	}
	if atStart && !isPath(path) {
		secrets.Add(path)
	}
	if looksLikeContent(path) {
		return nil, fmt.Errorf("%s contains a certificate or a key: write it to a file, and set %s to the file name", setting, setting)
	}
	if inPath := (*fs.PathError)(nil); errors.As(err, &inPath) {
		err = inPath.Err
	}
	return nil, fmt.Errorf("%s cannot be read: %w", fileOf(setting, path), err)
}

// fileOf names the file of a setting in a message.
func fileOf(setting, path string) string {
	if !isPath(path) {
		return "the file of " + setting
	}
	return fmt.Sprintf("the file of %s (%s)", setting, path)
}

// isPath reports whether a text names a place in a folder that is there, so that it is no
// secret.
func isPath(text string) bool {
	folder := filepath.Dir(text)
	if !filepath.IsAbs(text) || folder == filepath.Dir(folder) { // the root is a folder for any secret that begins with a slash
		return false
	}
	info, err := os.Stat(folder)
	return err == nil && info.IsDir()
}

func looksLikeContent(path string) bool {
	return strings.ContainsAny(path, "\r\n") || strings.Contains(path, "-----")
}

// databasePassword is what pgstore calls for each new session; nil: the password of the
// address.
func (f *secretFile) databasePassword() func(context.Context) (string, error) {
	if f == nil {
		return nil
	}
	return func(context.Context) (string, error) { return f.read() }
}

// redisCredentials is what rueidis calls for each new connection; nil: those of the
// address.
func (f *secretFile) redisCredentials(user string) func(rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
	if f == nil {
		return nil
	}
	return func(rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
		password, err := f.read()
		return rueidis.AuthCredentials{Username: user, Password: password}, err
	}
}
