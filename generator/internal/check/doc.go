// Package check holds no code. The packages below it compare a project with what
// it was and look for what is valid but risky; package generator puts them
// together as the command outboxgen check. Imports run one way:
//
//	lint      rules about one state of the schemas
//	compat    rules about two versions of one schema, those of Confluent's registry
//	contract  rules about two versions of an event: its type, topic, key, and its
//	          schema by compat
//	gitfs     commits of a git repository as file systems
//	baseline  the earlier versions of a project's events, from a commit (by gitfs), a
//	          folder or a registry, as contract takes them
//
// What they find is of package finding, which holds their rules as well.
package check
