// Package check has no code. The packages below it compare a project with its earlier
// state and look for schemas that are valid but risky. Package generator combines them
// for the command outboxgen check. Imports go one way:
//
//	lint      rules about one state of the schemas
//	compat    rules about two versions of one schema, those of Confluent's registry
//	contract  rules about two versions of an event: its type, topic, key, and its
//	          schema by compat
//	gitfs     commits of a git repository as file systems
//	baseline  the earlier versions of a project's events, from a commit (by gitfs), a
//	          folder or a registry, as contract takes them
//
// Their findings and rules are in package finding.
package check
