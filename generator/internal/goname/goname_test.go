package goname_test

import (
	"go/token"
	"testing"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
)

func TestExported(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"entity_id":                "EntityID",
		"entityId":                 "EntityID",
		"EntityID":                 "EntityID",
		"schemaUri":                "SchemaURI",
		"chainId":                  "ChainID",
		"ipv4_address":             "IPv4Address",
		"IPV6":                     "IPv6",
		"id":                       "ID",
		"ids":                      "IDs",
		"successful_essay_ids":     "SuccessfulEssayIDs",
		"userIDs":                  "UserIDs",
		"UserIDsSeen":              "UserIDsSeen",
		"urls":                     "URLs",
		"cj_assessment_job_id":     "CJAssessmentJobID",
		"CJAssessmentCompleted":    "CJAssessmentCompleted",
		"llm_config_overrides":     "LLMConfigOverrides",
		"content_md5_hash":         "ContentMD5Hash",
		"nlp_metrics_json":         "NLPMetricsJSON",
		"HTTPServer":               "HTTPServer",
		"getHTTPResponse":          "GetHTTPResponse",
		"completed_successfully":   "CompletedSuccessfully",
		"COMPLETED_SUCCESSFULLY":   "CompletedSuccessfully",
		"HIGH":                     "High",
		"ENG5":                     "ENG5",
		"SV1":                      "SV1",
		"class.updated":            "ClassUpdated",
		"dev.cdevents.build.0.3.0": "DevCdeventsBuild030",
		"original-essay":           "OriginalEssay",
		"text with spaces":         "TextWithSpaces",
		"parent's":                 "Parents",
		"3d_model":                 "X3dModel",
		"42":                       "X42",
		"-1":                       "Minus1",
		"A":                        "A",
		"A+":                       "APlus",
		"A-":                       "AMinus",
		"+":                        "Plus",
		"-":                        "Minus",
		"*":                        "Star",
		"<=":                       "LessEqual",
		"":                         "X",
		"  ":                       "X",
		"åäö":                      "Åäö",
		"straße_id":                "StraßeID",
		"名前":                       "X名前",
		"type":                     "Type",
		"$ref":                     "Ref",
		"@type":                    "Type",
		"utf8_text":                "UTF8Text",
		"io":                       "IO",
		"v1":                       "V1",
		"\x00\x01":                 "X",
		"🎉":                        "U1F389",
		"👨‍👩‍👧":                    "U1F468U1F469U1F467",
		"❤️":                       "U2764",
		"party 🎉":                  "Party",
		"€":                        "U20AC",
		"e\u0301tude":              "Etude",
		"nai\u0308ve_id":           "NaiveID",
		"שם":                       "Xשם",
		"نام\u200cها":              "Xنامها",
		"नाम":                      "Xनम",
		"\u202eevil":               "Evil",
		"Partial<Foo>":             "PartialFoo",
		"Page_Item_":               "PageItem",
		"Dict[str, int]":           "DictStrInt",
		"foo-bar":                  "FooBar",
		"fooBar":                   "FooBar",
		"chan":                     "Chan",
		"a\"`\n};func":             "AFunc",
		"Foo[Bar]":                 "FooBar",
		"pkg.module__Model-Input":  "PkgModuleModelInput",
	} {
		got := goname.Exported(in)
		if got != want {
			t.Errorf("Exported(%q) = %s, want %s", in, got, want)
		}
		if !token.IsExported(got) || !token.IsIdentifier(got) {
			t.Errorf("Exported(%q) = %s, which is no exported identifier", in, got)
		}
	}
}

func TestTitleLeavesWordsAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"CJAssessmentCompleted":     "CJAssessmentCompleted",
		"LlmConfig":                 "LlmConfig",
		"Build finished event":      "BuildFinishedEvent",
		"batch done":                "BatchDone",
		"order id":                  "OrderID",
		"iOSBuild":                  "IOSBuild",
		"SpellcheckPhaseCompleted ": "SpellcheckPhaseCompleted",
		"HTTPValidationError":       "HTTPValidationError",
		"Class (updated)":           "ClassUpdated",
	} {
		if got := goname.Title(in); got != want {
			t.Errorf("Title(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestPackage(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"events":        "events",
		"cj-events":     "cjevents",
		"CJ_Events":     "cjevents",
		"3d":            "pkg3d",
		"type":          "typepkg",
		"string":        "stringpkg",
		"åäö":           "pkg",
		"":              "pkg",
		"github.com/a.": "githubcoma",
	} {
		if got := goname.Package(in); got != want {
			t.Errorf("Package(%q) = %s, want %s", in, got, want)
		}
	}
}

// Every name in a schema gives a valid Go name, which the functions leave unchanged.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"entity_id", "A+", "名前", "\xff", "ǅungla", "١٢", "a\u200bb", "ªb", "ﬁ", "Ⅷ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, name := range []string{goname.Exported(in), goname.Title(in)} {
			if !token.IsExported(name) || !token.IsIdentifier(name) {
				t.Errorf("%q gives %q, which is no exported identifier", in, name)
			}
		}
		if name := goname.Package(in); !token.IsIdentifier(name) || goname.Reserved(name) {
			t.Errorf("%q gives the package %q", in, name)
		}
	})
}
