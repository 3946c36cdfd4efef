package ir

import (
	"math/big"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// satisfiable reports bounds that no value of a JSON type meets.
func (b *builder) satisfiable(s *schema.Schema, kind string) {
	report := func(least string, low *schema.Number, most string, high *schema.Number) {
		b.list.Errorf(high.Pos, "never-valid", "%s %s leaves nothing above %s %s, so no value is valid", most, high.Text, least, low.Text)
	}
	count := func(least string, low *schema.Number, most string, high *schema.Number) {
		if low == nil || high == nil {
			return
		}
		if x, y := rational(low.Text), rational(high.Text); x != nil && y != nil && x.Cmp(y) > 0 {
			report(least, low, most, high)
		}
	}
	switch kind {
	case "string":
		count("minLength", s.MinLength, "maxLength", s.MaxLength)
	case "array":
		count("minItems", s.MinItems, "maxItems", s.MaxItems)
	case "object":
		count("minProperties", s.MinProperties, "maxProperties", s.MaxProperties)
	case "integer", "number":
		for _, low := range []limit{{"minimum", s.Minimum, false}, {"exclusiveMinimum", s.ExclusiveMinimum, true}} {
			for _, high := range []limit{{"maximum", s.Maximum, false}, {"exclusiveMaximum", s.ExclusiveMaximum, true}} {
				if excludes(low, high, kind == "integer") {
					report(low.keyword, low.number, high.keyword, high.number)
				}
			}
		}
	}
}

// limit is one bound of a number.
type limit struct {
	keyword string
	number  *schema.Number
	open    bool // the bound itself is not allowed
}

// excludes reports whether nothing lies between two limits; of whole numbers
// only, where whole is set.
func excludes(low, high limit, whole bool) bool {
	if low.number == nil || high.number == nil {
		return false
	}
	x, y := rational(low.number.Text), rational(high.number.Text)
	if x == nil || y == nil {
		return false
	}
	if whole {
		return lowest(x, low.open).Cmp(highest(y, high.open)) > 0
	}
	order := x.Cmp(y)
	return order > 0 || order == 0 && (low.open || high.open)
}

// lowest is the first whole number from x on.
func lowest(x *big.Rat, open bool) *big.Int {
	if open {
		return new(big.Int).Add(floor(x), big.NewInt(1))
	}
	return ceil(x)
}

// highest is the last whole number up to x.
func highest(x *big.Rat, open bool) *big.Int {
	if open {
		return new(big.Int).Sub(ceil(x), big.NewInt(1))
	}
	return floor(x)
}
