// Package ruletest compares package rule with a JSON Schema validator. It is separate
// so that the runtime's module does not require the validator.
package ruletest
