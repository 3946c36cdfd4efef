// Package gitfs reads commits of a git repository as file systems, through the
// git command.
//
// Listing a commit is one run of git ls-tree; the contents of files come from
// one git cat-file --batch that serves all commits, and only when they are
// read. So a commit with thousands of files costs what is looked at.
//
// Symbolic links and submodules are listed and never followed: what they lead to
// is not in the commit, or not where it seems to be. Tree.Refused tells which of
// them somebody asked for.
package gitfs
