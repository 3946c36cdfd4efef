package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
	"github.com/outboxgen/outboxgen/cmd/internal/licences"
)

// build is a binary and what is in it.
type build struct {
	command string
	target  target
	binary  []byte
	info    *debug.BuildInfo
	modules []linked
	own     licences.Licence
	ofGo    licences.Licence
}

// sbom returns the software bill of materials of a binary, in CycloneDX's format. It lists
// the modules that the linker wrote into the binary.
func (b build) sbom(at time.Time) ([]byte, error) {
	sum := sha256.Sum256(b.binary)
	main := cdx.Component{
		Type: cdx.ComponentTypeApplication, Name: b.command, Version: b.info.Main.Version,
		PackageURL: fmt.Sprintf("%s?goarch=%s&goos=%s&type=module#cmd/%s", moduleURL(b.info.Main.Path, b.info.Main.Version), b.target.arch, b.target.os, b.command),
		Hashes:     &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
		Licenses:   licenceChoice(b.own),
		ExternalReferences: &[]cdx.ExternalReference{
			{Type: cdx.ERTypeVCS, URL: "https://" + gomod.Path},
		},
	}
	main.BOMRef = main.PackageURL
	goVersion := strings.TrimPrefix(b.info.GoVersion, "go")
	components := []cdx.Component{{
		BOMRef: moduleURL("std", goVersion), Type: cdx.ComponentTypeLibrary, Name: "std", Version: goVersion,
		PackageURL: moduleURL("std", goVersion), Licenses: licenceChoice(b.ofGo), Scope: cdx.ScopeRequired,
	}}
	for _, m := range b.modules {
		c := cdx.Component{
			BOMRef: moduleURL(m.Path, m.Version), Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version,
			PackageURL: moduleURL(m.Path, m.Version), Licenses: licenceChoice(m.licence), Scope: cdx.ScopeRequired,
		}
		digest, err := moduleDigest(m.Sum)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", m.Path, m.Version, err)
		}
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: digest}}
		components = append(components, c)
	}
	var parts []string
	dependencies := []cdx.Dependency{{Ref: main.BOMRef, Dependencies: &parts}}
	for _, c := range components {
		parts = append(parts, c.BOMRef)
		dependencies = append(dependencies, cdx.Dependency{Ref: c.BOMRef})
	}
	bom := cdx.NewBOM()
	// The same for the same binary, so that a release can be built again.
	bom.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, append([]byte(main.PackageURL), sum[:]...)).URN()
	bom.Metadata = &cdx.Metadata{Timestamp: at.Format(time.RFC3339), Component: &main}
	bom.Components, bom.Dependencies = &components, &dependencies
	var out bytes.Buffer
	err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6)
	return out.Bytes(), err
}

// moduleURL returns the package URL of a Go module.
func moduleURL(path, version string) string {
	return "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// moduleDigest returns the SHA-256 sum of a module, as in go.sum, in hexadecimal.
func moduleDigest(sum string) (string, error) {
	text, ok := strings.CutPrefix(sum, "h1:")
	digest, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return "", fmt.Errorf("the binary has the checksum %q, want h1: and a checksum in base64", sum)
	}
	return hex.EncodeToString(digest), nil
}

func licenceChoice(l licences.Licence) *cdx.Licenses {
	if strings.Contains(l.Expression, " ") {
		return &cdx.Licenses{{Expression: l.Expression}}
	}
	return &cdx.Licenses{{License: &cdx.License{ID: l.Expression}}}
}

// thirdParty returns the licences that must be distributed with the binary.
func (b build) thirdParty() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s %s contains the modules below. Each has the licence that follows it.\n", b.command, b.info.Main.Version)
	write := func(name, where string, l licences.Licence) {
		fmt.Fprintf(&out, "\n%s\n%s\nLicence: %s\nSource: %s\n", strings.Repeat("=", 80), name, l.Expression, where)
		for _, text := range l.Texts {
			fmt.Fprintf(&out, "\n%s\n\n%s\n", strings.Repeat("-", 80), strings.TrimRight(text.Text, "\n"))
		}
	}
	write("The standard library of "+b.info.GoVersion, "https://go.dev/dl", b.ofGo)
	for _, m := range b.modules {
		if !licences.IsOwn(m.Path) {
			write(m.Path+" "+m.Version, "https://pkg.go.dev/"+m.Path+"@"+m.Version, m.licence)
		}
	}
	return out.Bytes()
}
