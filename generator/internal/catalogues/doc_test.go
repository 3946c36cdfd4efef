// Package catalogues_test runs public catalogues of schemas through the
// generator: whole and as they are, each as a project. The packages that carry
// them are fetched by "make catalogues" and are no part of this repository; .ci/catalogues lists
// them with versions and checksums.
package catalogues_test
