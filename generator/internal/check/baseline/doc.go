// Package baseline reads the earlier events of a project: from a commit, from a folder,
// or from a schema registry.
//
// # Commits
//
// It reads only those schema files of a commit that differ from the project's current
// files, compared by git's content ids, and the files that they refer to. The work tree
// is checked, whether it is committed or not.
//
// The earlier version of an event is the one at the commit. If the config names the
// tags that mark releases (compat.released), it is the one at the latest of these tags
// that the commit reaches.
//
// For transitive levels, the earlier versions are all states of the event on the line
// of first parents up to the commit or, with compat.released, at each of the tags. The
// line of first parents is the history of the branch itself. States that existed only
// on another branch before a merge do not count, and neither do states in which the
// schema could not be read.
//
// A project that was moved is found by the name of its service. Symbolic links and
// submodules in a commit are refused, because their targets are not in the commit.
//
// # Folders and registries
//
// A folder has one earlier version. A registry has only schemas, under the subject of
// each event: all earlier versions, but neither the list of earlier events nor their
// keys.
package baseline
