package page

import (
	"regexp"
	"strings"
	"testing"
)

var anyLink = regexp.MustCompile(`(?:href|src|action|hx-get|data-source)="([^"]*)"`)

// All links are relative and lead to the same folder, so that a proxy can serve the page
// below any path.
func TestLinksAreRelative(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.insertDead(pageRows + 1)
	s.outbox.Name = "shop/tenant_1"
	const name = "outbox=shop%2Ftenant_1"
	links := 0
	for _, path := range []string{
		"", "outbox?" + name, "dead?" + name, "row?seq=1&" + name, "decide?do=replay&scope=filter&" + name, "pause?topic=orders&" + name, "login?next=dead%3Foutbox%3Dx", "nothing",
	} {
		who := loggedIn(testToken)
		if strings.HasPrefix(path, "login") { // somebody who is logged in needs no form
			who = header("Sec-Fetch-Site", "cross-site")
		}
		answer := s.get(path, who)
		for _, found := range anyLink.FindAllStringSubmatch(answer.Body.String(), -1) {
			links++
			target, _, _ := strings.Cut(found[1], "?")
			if strings.HasPrefix(target, "/") || strings.Contains(target, ":") || strings.Contains(target, "..") {
				t.Errorf("%s has the link %s", path, found[1])
			}
		}
		if to := answer.Header().Get("Location"); to != "" {
			t.Errorf("%s leads to %s", path, to)
		}
	}
	if links < 100 {
		t.Errorf("only %d links were found", links)
	}
}
