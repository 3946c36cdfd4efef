package main

import (
	"runtime/debug"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
	"github.com/outboxgen/outboxgen/cmd/internal/licences"
)

// sample is a binary with one module of others and one of ours.
func sample() build {
	const sum = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	dep := debug.Module{Path: "example.com/parser", Version: "v2.0.0+incompatible", Sum: sum}
	ours := debug.Module{Path: gomod.Path + "/runtime", Version: "v1.2.3", Sum: sum}
	own := licences.Licence{Expression: "Apache-2.0", Texts: []licences.Text{{Name: "LICENSE", Text: "Apache"}}}
	return build{
		command: "outboxrelay", target: target{"linux", "arm64"}, binary: []byte("\x7fELF"),
		info: &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Path: gomod.Path, Version: "v1.2.3", Sum: sum}},
		modules: []linked{
			{dep, licences.Licence{Expression: "BSD-3-Clause AND MIT", Texts: []licences.Text{{Name: "LICENSE", Text: "You may.\n"}, {Name: "NOTICE", Text: "It has code of others."}}}},
			{ours, own},
		},
		own: own, ofGo: licences.Licence{Expression: "BSD-3-Clause", Texts: []licences.Text{{Name: "LICENSE", Text: "You may use Go."}}},
	}
}

func TestSBOM(t *testing.T) {
	t.Parallel()
	bom, err := sample().sbom(time.Date(2026, 12, 1, 10, 20, 30, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "testdata/sbom.cdx.json", bom)
}

func TestSBOMOfAModuleWithoutAChecksum(t *testing.T) {
	t.Parallel()
	b := sample()
	b.modules[1].Sum = ""
	_, err := b.sbom(time.Time{})
	if want := gomod.Path + `/runtime v1.2.3: the binary has the checksum "", want h1: and a checksum in base64`; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// The archive has the licences of others, and no licence of ours among them.
func TestThirdParty(t *testing.T) {
	t.Parallel()
	compare(t, "testdata/third-party.txt", sample().thirdParty())
}

func TestReadme(t *testing.T) {
	t.Parallel()
	compare(t, "testdata/readme.txt", sample().readme())
}
