package validator

import (
	"cmp"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"mime/quotedprintable"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/runtime/format"
)

// ownNames are the names that formats have in the documents for the compiler, if they
// differ: it knows the format under another name, or does not let us replace its check.
var ownNames = map[string]string{"guid": "uuid", "byte": "base64", "regex": "regex of ECMA-262"}

// encoded begins the names of the formats that stand for encodings: no format of a schema
// has such a name.
const encoded = "contentEncoding "

// encodings has the encodings that generated code decodes or checks.
var encodings = map[string]func(s string) bool{
	"base64": isBase64, "base64url": isBase64URL, "base32": isBase32, "base16": isBase16, "hex": isBase16,
	"7bit": is7Bit, "quoted-printable": isQuotedPrintable,
}

var errFormat = errors.New("the text does not have the format")

// assertFormats makes a compiler check formats, those of package format as Validate
// checks them.
func assertFormats(c *jsonschema.Compiler) {
	c.AssertFormat()
	checks := map[string]func(s string) bool{"base64": isBase64, "base64url": isBase64URL}
	for _, name := range format.Names() {
		checks[cmp.Or(ownNames[name], name)] = func(s string) bool { return format.Valid(s, name) }
	}
	for name, valid := range encodings {
		checks[encoded+name] = valid
	}
	for name, valid := range checks {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			if s, ok := v.(string); ok && !valid(s) {
				return errFormat
			}
			return nil
		}})
	}
}

// isBase64 reports whether s is padded base64.
func isBase64(s string) bool { return decodes(base64.StdEncoding, s) }

// isBase64URL reports whether s is base64 of URLs, with or without padding.
func isBase64URL(s string) bool {
	return decodes(base64.URLEncoding, s) || decodes(base64.RawURLEncoding, s)
}

// isBase32 reports whether s is padded base32 without unused bits that are set.
func isBase32(s string) bool {
	b, err := base32.StdEncoding.DecodeString(s)
	return err == nil && base32.StdEncoding.EncodeToString(b) == s
}

func isBase16(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}

func is7Bit(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r == 0 || r >= 0x80 })
}

func isQuotedPrintable(s string) bool {
	_, err := io.Copy(io.Discard, quotedprintable.NewReader(strings.NewReader(s)))
	return err == nil && is7Bit(s)
}

func decodes(e *base64.Encoding, s string) bool {
	_, err := e.Strict().DecodeString(s)
	return err == nil && !strings.ContainsAny(s, "\r\n") // which the decoder ignores
}
