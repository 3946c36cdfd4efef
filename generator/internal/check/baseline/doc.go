// Package baseline reads what the events of a project were before: from a
// commit, from a folder, or from a schema registry.
//
// # Commits
//
// Of a commit only those schema files are read that are not what the project has
// now, told by the ids that git gives contents, and whatever they refer to. The
// work tree is what is judged, committed or not.
//
// The earlier version of an event is the one at the commit. Where the config
// names the tags that mark releases (compat.released), it is the one at the
// latest of these tags that the commit reaches.
//
// Every earlier version, for transitive levels, is every state that the event
// had on the line of first parents up to the commit; or, with compat.released,
// at each of the tags. The line of first parents is what the branch itself was:
// states that existed only on a branch before it was merged count for nobody,
// and neither do states in which the schema could not be read.
//
// A project that has moved is found again by the name of its service. Symbolic
// links and submodules in a commit are refused, because what they lead to is not
// in the commit.
//
// # Folders and registries
//
// A folder holds one earlier version. A registry holds schemas alone, under the
// subject of each event: it knows all earlier versions of them, and neither
// which events there were nor their keys.
package baseline
