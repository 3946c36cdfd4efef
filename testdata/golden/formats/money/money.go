// Package money stands for a service's own types, which the config maps to.
package money

import (
	"encoding/json"
	"errors"
)

// Currency is a currency by its code.
type Currency struct{ Code string }

// MarshalJSON writes the code.
func (c Currency) MarshalJSON() ([]byte, error) { return json.Marshal(c.Code) }

// UnmarshalJSON reads the code, which has three letters.
func (c *Currency) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &c.Code); err != nil {
		return err
	}
	if len(c.Code) != 3 {
		return errors.New("a currency has three letters")
	}
	return nil
}
