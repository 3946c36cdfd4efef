// Package ruletest compares package rule with a validator of JSON Schema, so that
// the runtime's module does not require the validator.
package ruletest
