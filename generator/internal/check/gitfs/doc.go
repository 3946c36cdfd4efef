// Package gitfs reads commits of a git repository as file systems, with the git
// command.
//
// Listing a commit runs git ls-tree once. One git cat-file --batch serves the contents
// for all commits, and only for files that are read, so a commit with thousands of
// files costs little.
//
// Symbolic links and submodules are listed and never followed: their targets are not in
// the commit, or not where they seem to be. Tree.Refused lists those that were opened.
package gitfs
