package wire

import "testing"

// A float64 accepts numbers that it encodes again exactly. Others, which it would
// round, are errors.
func TestFloatKeepsDigits(t *testing.T) {
	t.Parallel()
	for text, kept := range map[string]bool{
		"0.1": true, "0.10000000000000001": true, "0.1000000000000000055511151231257827": true, "0.100000000000000012": false, "1e400": false, "1e-400": false, "5e-324": true,
		"4.9406564584124654e-324": true, "9007199254740993": false, "9007199254740992": true, "12345678901234567": false, "0e999999999999": true, "-0.0": true, "1.7976931348623157e308": true,
	} {
		d := Decoder{data: []byte(text)}
		d.Float()
		if got := len(d.violations) == 0; got != kept {
			t.Errorf("%s: kept %t", text, got)
		}
	}
}

// Bytes in each encoding are encoded to the same text again.
func TestEncodings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		read  func(*Decoder) []byte
		write func(*Encoder, []byte)
		texts []string
		bad   []string
	}{
		"base64":    {(*Decoder).Base64, (*Encoder).Base64, []string{`""`, `"aGk="`, `"+/+/"`}, []string{`"aGk"`, `"*"`, `"aG\nk="`, `"aGl="`}},
		"base64url": {(*Decoder).Base64URL, (*Encoder).Base64URL, []string{`""`, `"aGk="`, `"-_-_"`}, []string{`"+/+/"`, `"aGl="`}},
		"base32":    {(*Decoder).Base32, (*Encoder).Base32, []string{`""`, `"NBUQ===="`}, []string{`"nbuq===="`, `"NBUQ"`, `"NBUR===="`}},
		"base16":    {(*Decoder).Base16, (*Encoder).Base16, []string{`""`, `"00FF"`}, []string{`"0"`, `"0g"`}},
	} {
		for _, text := range c.texts {
			d := Decoder{data: []byte(text)}
			value := c.read(&d)
			var e Encoder
			if c.write(&e, value); value == nil || len(d.violations) > 0 || string(e.buf) != text {
				t.Errorf("%s: %s became %s, %v", name, text, e.buf, d.violations)
			}
		}
		for _, text := range c.bad {
			d := Decoder{data: []byte(text)}
			if c.read(&d); len(d.violations) != 1 || d.violations[0].Message != "must be "+name {
				t.Errorf("%s: %s: %v", name, text, d.violations)
			}
		}
	}
}
