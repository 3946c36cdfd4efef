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

		// Units: the micro sign and the Greek letter.
		"\u00b5g/l":          "MicroGL",
		"\u03bcg/l":          "MicroGL",
		"mg/l":               "MgL",
		"10\u00b5l":          "X10MicroL",
		"10^6/\u03bcl":       "X106MicroL",
		"\u00b5":             "Micro",
		"k\u2126":            "KOhm",
		"k\u03a9":            "KOhm",
		"\u2126":             "Ohm",
		"\u212a":             "K",
		"10 \u212b":          "X10Å",
		"\uff21\uff42\uff11": "Ab1",
		"\U0001d400b":        "Ab",

		// Letters that look like those of ASCII, among those of ASCII.
		"\u03b2-hCG":          "BetaHCg",
		"\u03b11-antitrypsin": "Alpha1Antitrypsin",
		"\u0441ustomer":       "U0441Ustomer",
		"\u0421ity":           "U0421Ity",
		"\u03b3-GT":           "ΓGt",
		"\u0394t":             "Δt",

		// A word of one script stays.
		"\u03bc\u03ae\u03ba\u03bf\u03c2": "Μήκος",
		"Москва":                         "Москва",
		"total_Мск":                      "TotalМск",
		"\u03bc":                         "Μ",
		"\u03a9":                         "Ω",
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

// Two names look alike if they differ only in letters that look like those of ASCII.
func TestLooks(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"UnitMgL": "UnitMgL", "Unit\u039cgL": "UnitMgL", "\u041c\u0421\u041a": "MCK", "Größe": "Größe", "ΔT": "ΔT"} {
		if got := goname.Looks(in); got != want {
			t.Errorf("Looks(%q) = %s, want %s", in, got, want)
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
