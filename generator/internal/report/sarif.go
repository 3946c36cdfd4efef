package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
)

// Options says what the formats for programs need to know.
type Options struct {
	// Prefix is the path from the top of the repository to the project, which
	// stands before the names of files; empty at the top.
	Prefix string
	// Version is that of outboxgen.
	Version string
	// Rule looks up what there is to say about an id.
	Rule func(id string) (Rule, bool)
}

// home is where outboxgen is described.
const home = "https://github.com/outboxgen/outboxgen"

// The parts of SARIF 2.1.0 that are used.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool      `json:"tool"`
		ColumnKind string         `json:"columnKind"`
		Results    []sarifResult  `json:"results"`
		Properties map[string]any `json:"properties,omitempty"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string        `json:"id"`
		ShortDescription sarifText     `json:"shortDescription"`
		FullDescription  sarifText     `json:"fullDescription"`
		Help             sarifMarkdown `json:"help"`
		DefaultConfig    sarifLevel    `json:"defaultConfiguration"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifMarkdown struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations,omitempty"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Properties   map[string]any    `json:"properties,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI       string `json:"uri"`
		URIBaseID string `json:"uriBaseId"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
)

// SARIF writes the findings as a log of SARIF 2.1.0, with the rules that they
// come from. head becomes the properties of the run.
//
// Fingerprints hold as long as the finding itself, whatever moves above it in
// the file: they are made of the id, the file, the place in the schema and the
// message, and not of lines.
func SARIF(w io.Writer, head map[string]any, findings []Finding, opts Options) error {
	ids := make([]string, 0, len(findings))
	severity := map[string]diag.Severity{}
	for _, f := range findings {
		if worst, ok := severity[f.ID]; !ok || f.Severity < worst {
			severity[f.ID] = f.Severity
		}
		ids = append(ids, f.ID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "outboxgen", Version: opts.Version, InformationURI: home, Rules: []sarifRule{}}},
		ColumnKind: "unicodeCodePoints", Results: []sarifResult{}, Properties: head,
	}
	for _, id := range ids {
		rule, ok := Rule{}, false
		if opts.Rule != nil {
			rule, ok = opts.Rule(id)
		}
		if !ok {
			rule = Rule{ID: id, Short: id, Why: id}
		}
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: id, ShortDescription: sarifText{rule.Short}, FullDescription: sarifText{rule.Why},
			Help: sarifMarkdown{Text: cmp.Or(rule.Text, rule.help()), Markdown: rule.help()}, DefaultConfig: sarifLevel{severity[id].String()},
		})
	}
	same := map[string]int{}
	for _, f := range findings {
		index, _ := slices.BinarySearch(ids, f.ID)
		mark := fingerprint(f)
		same[mark]++
		result := sarifResult{
			RuleID: f.ID, RuleIndex: index, Level: f.Severity.String(), Message: sarifText{message(f)},
			Fingerprints: map[string]string{"outboxgen/v1": fmt.Sprintf("%s:%d", mark, same[mark])}, Properties: f.properties(),
		}
		if f.Pos.File != "" {
			location := sarifPhysical{Artifact: sarifArtifact{URI: relative(opts.Prefix, f.Pos.File), URIBaseID: "%SRCROOT%"}}
			if f.Pos.Line > 0 {
				location.Region = &sarifRegion{f.Pos.Line, f.Pos.Col}
			}
			result.Locations = []sarifLocation{{location}}
		}
		run.Results = append(run.Results, result)
	}
	log := sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(log); err != nil {
		return fmt.Errorf("write the findings: %w", err)
	}
	return nil
}

// message is all that a finding says, without its place.
func message(f Finding) string {
	text := f.Message
	if f.Old.Pos.File != "" {
		text += " (" + f.Old.Pos.String() + ")"
	}
	if f.Hint != "" {
		text += "; " + f.Hint
	}
	return diag.Printable(text)
}

// properties is what JSON has of a finding and SARIF has no member for.
func (f Finding) properties() map[string]any {
	all := map[string]any{}
	for name, value := range f.Details {
		all[name] = value
	}
	if f.HasPointer {
		all["pointer"] = f.Pointer
	}
	if f.Old.Pos.File != "" {
		all["old"] = f.place(f.Old.Pos, f.Old.Pointer)
	}
	return all
}

func fingerprint(f Finding) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q", f.ID, f.Pos.File, f.Pointer, f.Message)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// relative is a file as a relative URI, from the top of the repository.
func relative(prefix, file string) string {
	parts := strings.Split(path.Join(prefix, file), "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(part), ":", "%3A")
	}
	return strings.Join(parts, "/")
}
