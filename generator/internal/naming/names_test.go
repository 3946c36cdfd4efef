package naming

import (
	"testing"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

func TestSingular(t *testing.T) {
	t.Parallel()
	for plural, want := range map[string]string{
		"essay_results": "essay_result", "teamMembers": "teamMember", "TeamMembers": "TeamMember", "team-members": "team-member", "team members": "team member",
		"categories": "category", "entries": "entry", "movies": "movie", "ties": "tie", "addresses": "address", "processes": "process", "boxes": "box",
		"batches": "batch", "caches": "cache", "dishes": "dish", "heroes": "hero", "shoes": "shoe", "quizzes": "quiz",
		"statuses": "status", "orderStatuses": "orderStatus", "bonuses": "bonus", "buses": "bus", "aliases": "alias", "causes": "cause", "warehouses": "warehouse", "use_cases": "use_case",
		"cases": "case", "databases": "database", "responses": "response", "licenses": "license", "purchases": "purchase", "sizes": "size", "prizes": "prize",
		"analyses": "analysis", "hypotheses": "hypothesis", "crises": "crisis", "bases": "base", "axes": "axis",
		"indices": "index", "vertices": "vertex", "matrices": "matrix", "prices": "price", "services": "service", "devices": "device", "invoices": "invoice",
		"leaves": "leaf", "halves": "half", "curves": "curve", "archives": "archive", "moves": "move",
		"children": "child", "grandchildren": "grandchild", "people": "person", "women": "woman", "criteria": "criterion", "specimen": "specimen_item",
		"topics": "topic", "metrics": "metric", "analytics": "analytics_item",
		"userIds": "userId", "userIDs": "userId", "ids": "id", "urls": "url", "keys": "key", "days": "day",
		"data": "data_item", "metadata": "metadata_item", "media": "media_item", "news": "news_item", "series": "series_item", "species": "species_item",
		"address": "address_item", "status": "status_item", "bus": "bus_item", "lens": "lens_item", "analysis": "analysis_item", "access": "access_item",
		"gas": "gas_item", "dns": "dns_item", "class": "class_item",
		"by_name": "by_name_item", "lines2": "lines2_item", "s": "s_item", "": "_item", "日本": "日本_item", "3s": "3s_item",
	} {
		if got := singular(plural, "item"); got != want {
			t.Errorf("%q: %q, want %q", plural, got, want)
		}
	}
}

func TestRefName(t *testing.T) {
	t.Parallel()
	for pointer, want := range map[string]string{
		"/$defs/money": "money", "/definitions/com.acme.Foo": "Foo", "/$defs/pkg~1foo.Type": "Type", "/$defs/a~0b": "a~b", "/$defs/v1.0": "v1.0",
		"/$defs/Page<Item>": "Page Item", "/$defs/com.acme.Page<com.acme.Item>": "Page Item", "/$defs/Map[string,pkg.Item]": "Map string Item",
		"/$defs/Partial<Pick<Foo,\"a\">>": "Partial Pick Foo \"a\"", "/$defs/Page«Item»": "Page Item", "/$defs/": "", "/$defs/<>": "<>", "/$defs/a.": "a.",
		"": "order",
	} {
		if got := RefName(&schema.Schema{Pointer: pointer, Doc: &schema.Document{Path: "lib/order.json"}}); got != want {
			t.Errorf("%q: %q, want %q", pointer, got, want)
		}
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"CJAssessmentCompletedV1": "cj_assessment_completed_v1.go", "ThingV12": "thing_v12.go", "HTTPServer": "http_server.go", "X1st": "x1st.go",
		"BuildLinux": "build_linux_types.go", "Linux": "linux.go", "UnitTest": "unit_test_types.go", "AppAmd64": "app_amd64_types.go",
	} {
		if got := fileName(snake(name)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
