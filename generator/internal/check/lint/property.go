package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// property applies the rules about single properties.
func (l *linter) property(sp *spot, t traits) {
	p, owner := sp.property, l.owner(sp)
	name := finding.Quote(p.Name)
	if t.description == "" && !t.fixed && !l.restates(owner, p.Name) {
		l.found("property-undescribed", sp.schema, p.Pos,
			"the property "+name+" has no description: consumers have to guess what it means", "add description, here or in the schema that $ref refers to")
	}
	if t.null && owner.schema.Requires(p.Name) {
		l.found("required-property-nullable", sp.schema, p.Pos,
			"the property "+name+" is required and may be null: every consumer has to handle null",
			"make it optional and omit it when there is no value, or do not allow null; suppress this if null has its own meaning")
	}
	parts := words(p.Name)
	if len(parts) == 0 {
		return
	}
	l.money(sp, t, parts)
	l.time(sp, t, parts)
	l.person(sp, t, parts)
}

// restates reports whether owner is a branch of an object that already declares the
// property.
func (l *linter) restates(owner *spot, name string) bool {
	return owner.inPlace && owner.outer >= 0 && l.declared(&l.spots[owner.outer], name)
}

// Words of names that mean money: always, or together with a currency.
var (
	moneyWords = []string{"amount", "price", "cost", "fee", "salary", "subtotal", "surcharge", "refund", "revenue", "wage", "money"}
	sumWords   = []string{"total", "balance", "sum", "value", "charge", "discount", "tax", "vat", "tip", "budget", "credit", "debit", "payment", "paid", "due", "net", "gross", "deposit"}
	// words that show that it is not money
	noMoney = []string{"rate", "ratio", "percent", "percentage", "pct", "factor", "count", "quantity", "score", "index", "weight", "share", "items", "number"}
	// words of names that mean a currency
	currencies = []string{"currency", "currencies", "ccy"}
)

func (l *linter) money(sp *spot, t traits, parts []string) {
	if !slices.Contains(t.types, "number") || slices.Contains(t.types, "string") || anyOf(parts, noMoney) {
		return
	}
	beside := slices.ContainsFunc(l.names(l.owner(sp)), func(name string) bool { return anyOf(words(name), currencies) })
	if !anyOf(parts, moneyWords) && (!beside || !anyOf(parts, sumWords)) {
		return
	}
	instead := "use an integer of the smallest unit, such as " + finding.Quote(like(sp.property.Name, "cents")) +
		", or as a decimal in a string"
	if !beside {
		instead += ", and add its currency"
	}
	l.found("money-as-float", sp.schema, sp.property.Pos,
		fmt.Sprintf("the property %s looks like money and is a number: readers use binary floating point, where 0.1 + 0.2 is not 0.3", finding.Quote(sp.property.Name)), instead)
}

// like returns a name with another word behind it, in the style of the name.
func like(name, word string) string {
	return styled(name+" "+word, cmp.Or(common([]string{name}, schema.NameStyles()), "snake_case"))
}

func anyOf(parts, list []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return slices.Contains(list, part) || slices.Contains(list, one(part)) })
}

// Last words of names that mean a time, or a length of time.
var (
	timeWords     = []string{"at", "time", "timestamp", "datetime", "date"}
	durationWords = []string{"duration", "timeout", "ttl", "latency", "elapsed", "interval", "delay"}
	// units of time
	unitWords = []string{
		"ms", "msec", "milli", "millisecond", "s", "sec", "second", "us", "usec", "micro", "microsecond", "ns", "nano", "nanosecond",
		"min", "minute", "h", "hour", "day", "week", "month", "year", "epoch", "unix",
	}
)

func (l *linter) time(sp *spot, t traits, parts []string) {
	name, last := finding.Quote(sp.property.Name), parts[len(parts)-1]
	instant, length := slices.Contains(timeWords, last), slices.Contains(durationWords, last)
	if !instant && !length || t.format || t.listed || t.fixed {
		return
	}
	switch {
	case t.only("string"):
		if !instant || t.pattern {
			return
		}
		format := "date-time"
		if last == "date" {
			format = "date"
		}
		l.found("timestamp-format-missing", sp.schema, sp.property.Pos,
			"the property "+name+" looks like a time and may be any string: each producer can write another form", "add format: "+format)
	case t.only("integer", "number"):
		if anyOf(parts, unitWords) || anyOf(words(t.description), unitWords) {
			return
		}
		l.found("time-unit-unsaid", sp.schema, sp.property.Pos,
			"the property "+name+" looks like a time and is a number without a unit: seconds and milliseconds differ by a factor of 1,000",
			unitHint(instant, sp.property.Name))
	}
}

func unitHint(instant bool, name string) string {
	if instant {
		return "use a string with format: date-time; or put the unit into the name or the description"
	}
	return "put the unit into the name, such as " + finding.Quote(like(name, "ms")) + ", or into the description"
}

// Personal data by the end of the name: each entry is the last words of a name in the
// singular.
var personalNames = []string{
	"email", "email address", "e mail", "mail address", "phone", "phone number", "telephone", "telephone number", "mobile", "mobile number", "cell phone", "fax",
	"first name", "last name", "given name", "family name", "middle name", "maiden name", "full name", "surname", "firstname", "lastname", "fullname",
	"address", "street", "street address", "home address", "postal address", "billing address", "shipping address", "delivery address", "mailing address",
	"ip", "ip address", "ssn", "social security number", "national id", "national identification number", "personal number", "personnummer", "passport", "passport number",
	"tax id", "driving licence", "driver license", "license plate",
	"birth", "birth date", "birthdate", "date of birth", "dob", "birthday", "birth place", "birthplace", "birth year",
	"iban", "card number", "credit card", "bank account", "bank account number",
	"gender", "ethnicity", "religion", "nationality", "marital status", "latitude", "longitude", "geolocation",
}

var (
	personalEnds = endings(personalNames)
	// things are words before a word such as address that make it no personal data.
	things = []string{"mac", "server", "contract", "wallet", "memory", "bucket", "service", "host", "web", "return", "reply", "from", "to"}
	// people are words for persons.
	people = []string{
		"person", "people", "user", "customer", "student", "teacher", "employee", "contact", "patient", "member", "author", "recipient", "sender",
		"owner", "guest", "applicant", "candidate", "child", "parent", "guardian", "buyer", "passenger", "driver", "holder", "cardholder", "subscriber", "payer", "payee",
	}
)

// endings returns the names by their last word.
func endings(names []string) map[string][][]string {
	out := map[string][][]string{}
	for _, name := range names {
		parts := strings.Fields(name)
		last := parts[len(parts)-1]
		out[last] = append(out[last], parts)
	}
	return out
}

func (l *linter) person(sp *spot, t traits, parts []string) {
	if sp.personal != nil || t.fixed || t.only("boolean") || t.only("null") || t.only("number", "integer") && !anyOf(parts, numbered) {
		return
	}
	if !l.personal(sp, parts) {
		return
	}
	sp.toldPersonal = true
	for outer := sp.outer; outer >= 0; outer = l.spots[outer].outer {
		if l.spots[outer].toldPersonal {
			return // one mark is enough
		}
	}
	l.found("personal-data-unmarked", sp.schema, sp.property.Pos,
		fmt.Sprintf("the property %s looks like personal data and has no mark: it is copied to the outbox, to Kafka and to the store of every consumer, and cannot be deleted there", finding.Quote(sp.property.Name)),
		"remove it and send the id; or set x-outbox: {personal: true}, or {personal: false} if it is not personal")
}

// numbered are the names of personal data that may be a number.
var numbered = []string{"phone", "telephone", "mobile", "ssn", "personnummer", "latitude", "longitude", "passport", "card"}

func (l *linter) personal(sp *spot, parts []string) bool {
	last := strings.TrimRight(one(parts[len(parts)-1]), "0123456789")
	if last == "" && len(parts) > 1 { // address_2
		parts = parts[:len(parts)-1]
		last = one(parts[len(parts)-1])
	}
	for _, ending := range personalEnds[last] {
		n := len(parts) - len(ending)
		if n < 0 || !slices.Equal(parts[n:len(parts)-1], ending[:len(ending)-1]) {
			continue
		}
		if len(ending) == 1 && n > 0 && slices.Contains(things, parts[n-1]) {
			continue
		}
		return true
	}
	if last != "name" {
		return false
	}
	if len(parts) > 1 { // customer_name, and no file_name
		return slices.Contains(people, parts[len(parts)-2]) || parts[len(parts)-2] == "display" && l.ofPerson(sp)
	}
	return l.ofPerson(sp)
}

// ofPerson reports whether the object of sp is a person by its title or by the name of
// its property or definition.
func (l *linter) ofPerson(sp *spot) bool {
	owner := l.owner(sp)
	called := words(owner.schema.Title)
	if len(called) == 0 {
		pointer := strings.TrimSuffix(owner.schema.Pointer, "/items")
		called = words(pointer[strings.LastIndexByte(pointer, '/')+1:])
	}
	return len(called) > 0 && slices.Contains(people, one(called[len(called)-1]))
}
