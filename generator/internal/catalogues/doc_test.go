// Package catalogues_test generates code for public catalogues of schemas, complete and
// unchanged, each as a project. The packages that contain them are not part of this
// repository. "make catalogues" fetches them; .ci/catalogues lists them with versions
// and checksums.
package catalogues_test
