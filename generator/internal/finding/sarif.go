package finding

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// home is the home page of outboxgen.
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

// sarif writes the findings as a SARIF 2.1.0 log with their rules. Head becomes the properties of the run.
//
// Fingerprints do not change if lines move: they consist of the id, the file, the
// place in the schema and the message.
func (r Report) sarif(b *bytes.Buffer) {
	ids := make([]string, 0, len(r.Findings))
	severity := map[string]Severity{}
	for _, f := range r.Findings {
		if worst, ok := severity[f.ID]; !ok || f.Severity < worst {
			severity[f.ID] = f.Severity
		}
		ids = append(ids, f.ID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "outboxgen", Version: r.Version, InformationURI: home, Rules: []sarifRule{}}},
		ColumnKind: "unicodeCodePoints", Results: []sarifResult{}, Properties: r.Head,
	}
	for _, id := range ids {
		rule := book().rules[id]
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: id, ShortDescription: sarifText{rule.What}, FullDescription: sarifText{rule.Why},
			Help: sarifMarkdown{Text: rule.Text(), Markdown: rule.markdown()}, DefaultConfig: sarifLevel{severity[id].String()},
		})
	}
	same := map[string]int{}
	for _, f := range r.Findings {
		index, _ := slices.BinarySearch(ids, f.ID)
		mark := fingerprint(f)
		same[mark]++
		result := sarifResult{
			RuleID: f.ID, RuleIndex: index, Level: f.Severity.String(), Message: sarifText{message(f)},
			Fingerprints: map[string]string{"outboxgen/v1": fmt.Sprintf("%s:%d", mark, same[mark])}, Properties: f.properties(),
		}
		if f.Pos.File != "" {
			location := sarifPhysical{Artifact: sarifArtifact{URI: relative(r.Prefix, f.Pos.File), URIBaseID: "%SRCROOT%"}}
			if f.Pos.Line > 0 {
				location.Region = &sarifRegion{f.Pos.Line, f.Pos.Col}
			}
			result.Locations = []sarifLocation{{location}}
		}
		run.Results = append(run.Results, result)
	}
	encode(b, sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	})
}

// message returns the message with the hint, without the place and the id.
func message(f Finding) string {
	text := f.withOld().Message
	if f.Hint != "" {
		text += "; " + f.Hint
	}
	return Printable(text)
}

// properties returns the members of the JSON format that SARIF lacks.
func (f Finding) properties() map[string]any {
	all := f.details()
	if f.HasPointer {
		all["pointer"] = f.Pointer
	}
	return all
}

func fingerprint(f Finding) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q", f.ID, f.Pos.File, f.Pointer, f.Message)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// relative returns a file as a relative URI, from the root of the repository.
func relative(prefix, file string) string {
	parts := strings.Split(path.Join(prefix, file), "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(part), ":", "%3A")
	}
	return strings.Join(parts, "/")
}
