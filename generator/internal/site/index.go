package site

import "strings"

// index is the page with all events.
type index struct {
	Rows             []indexRow
	Services, Topics []option
	Versions         int // of all events
}

// indexRow is an event with all its versions. The script reads the texts to search.
type indexRow struct {
	*event

	AllServices, AllTopics []link // of all versions, those of the latest first
	Others                 []sibling
	Names                  string // to search: types, titles, names of Go, services and topics
	Texts                  string // to search: descriptions
	Fields                 string // to search: one on each line
	InServices             string // slugs, with spaces around each
	InTopics               string
	EveryDeprecated        bool
}

// option is an entry of a filter.
type option struct{ Text, Value string }

func (b *builder) index() index {
	page := index{Versions: len(b.list)}
	for i := 0; i < len(b.list); {
		latest := b.list[i]
		row := indexRow{event: latest, EveryDeprecated: true}
		var names, texts, fields, services, topics []string
		for ; i < len(b.list) && b.list[i].family == latest.family; i++ {
			e := b.list[i]
			row.EveryDeprecated = row.EveryDeprecated && e.Deprecated
			names = append(names, e.Type, e.Title)
			for _, s := range e.Services {
				row.AllServices = include(row.AllServices, s)
				names, services = append(names, s.Text), append(services, slug(s.Text))
			}
			for _, c := range e.Consumers {
				names, services = append(names, c.Text), append(services, slug(c.Text))
			}
			for _, t := range e.Topics {
				row.AllTopics = include(row.AllTopics, t)
				names, topics = append(names, t.Text), append(topics, slug(t.Text))
			}
			for _, d := range e.Definitions {
				for _, p := range d.Publishers {
					names = append(names, p.event.GoName)
				}
				texts = append(append(texts, d.About.Texts...), d.SearchTexts...)
				fields = append(fields, d.SearchNames...)
			}
		}
		for _, v := range latest.Versions {
			if !v.Current {
				row.Others = append(row.Others, v)
			}
		}
		row.Names, row.Texts, row.Fields = distinct(names, " "), distinct(texts, " "), distinct(fields, "\n")
		row.InServices, row.InTopics = " "+distinct(services, " ")+" ", " "+distinct(topics, " ")+" "
		page.Rows = append(page.Rows, row)
	}
	for _, g := range b.sortedServices() {
		page.Services = append(page.Services, option{g.Name, slug(g.Name)})
	}
	for _, g := range b.sortedTopics() {
		page.Topics = append(page.Topics, option{g.Name, slug(g.Name)})
	}
	return page
}

// distinct joins texts, each of them once and on one line.
func distinct(texts []string, between string) string {
	var all []string
	known := map[string]bool{"": true}
	for _, text := range texts {
		text = onOneLine(text)
		if !known[text] {
			known[text] = true
			all = append(all, text)
		}
	}
	return strings.Join(all, between)
}
