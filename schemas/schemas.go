// Package schemas embeds the meta-schema of outboxgen's event schemas and the
// one of outboxgen.yaml, for editors and for tests. The sample schemas beside
// it (huleedu) are not embedded.
package schemas
