// Package contract compares the events of a project with their earlier versions: they
// must still exist, with the same type, topic, key, aggregate and envelope, and with a
// schema that is compatible with readers and writers of the other version (see package
// compat).
//
// An event is identified by its type, as consumers do; its file name does not matter.
// If no type matches, the same Go name and version, or the same file and version, mean
// that the type was changed.
//
// Version 2 of an event is another event with its own type and topic, and consumers
// move to it when they are ready. So it is not compared with version 1, unless the
// config says compat.versions: together.
package contract
