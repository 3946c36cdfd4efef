package page

import "strings"

// hidden reports whether nobody may see the data of events of a type.
func (p *Page) hidden(eventType string) bool {
	for _, pattern := range p.cfg.HideData {
		if matches(pattern, eventType) {
			return true
		}
	}
	return false
}

// matches reports whether a text has the form of a pattern, in which * stands for any
// characters.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, last)
}
