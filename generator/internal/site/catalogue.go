package site

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/bundle"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// event is an event version: all events with one type.
type event struct {
	Type, Title, Version string
	Path                 string // of its page
	Deprecated           bool
	Services, Topics     []link
	Consumers            []publisher // services that consume the event
	Foreign              bool        // no project publishes the event, so consumers describe it
	Summary              string      // the beginning of the description
	Versions             []sibling   // all versions of the event, the latest first
	Latest               *sibling    // nil if this is the latest
	Definitions          []*defined  // one for each different description

	number   int
	family   string
	received []*defined // what consumers say
}

// sibling is one version of an event.
type sibling struct {
	link

	Version string
	Current bool
}

// link is a text and the page that it leads to.
type link struct{ Text, Path string }

// defined is an event as one or more services describe it.
type defined struct {
	Publishers []publisher
	SchemaPath string
	Description

	document []byte
	// said is what decides whether two descriptions are one.
	said    string
	event   *schema.Event // of the first publisher
	project Project       // of the first publisher
}

// publisher is a service that publishes an event, and where it describes it.
type publisher struct {
	link

	Project string // the project file
	Owner   string // of the service
	Source  place  // the description of the event
	Go      []goName

	event   *schema.Event
	project Project
}

// place is a place in a file.
type place struct{ Text, URL string }

// goName is a name of generated Go.
type goName struct {
	Name, Use string
	At        place
}

// group is a service or a topic.
type group struct {
	Name, Path string
	Of         string     // Service or Topic
	Owners     []string   // of a service
	About      []prose    // the descriptions of a service
	Consumed   []*event   // events that a service consumes, sorted
	Ordered    bool       // the records of a topic can have a key
	Projects   []string   // the project files of a service
	Events     []*event   // sorted
	Others     []link     // topics of a service, publishers of a topic
	Keys       []keyed    // of a topic: what the keys of its records are
	kind       groupOrder // which of the two
}

type groupOrder int

const (
	ofService groupOrder = iota
	ofTopic
)

// keyed says what the key of an event's records is.
type keyed struct {
	Event link
	Key   string
}

// groups is the page with all services or topics.
type groups struct {
	Of, What string
	Groups   []*group
}

// builder collects what projects have.
type builder struct {
	opts             Options
	list             []*event
	events           map[string]*event // by type
	services, topics map[string]*group
}

// add adds an event of a project. If projects disagree about the version of a type, the
// highest counts.
func (b *builder) add(p Project, e *schema.Event) error {
	document, err := bundle.Document(e, schema.Catalogued)
	if err != nil {
		return err
	}
	said, err := saidOf(p, e, document)
	if err != nil {
		return err
	}
	known := b.events[e.Type]
	if known == nil {
		known = &event{
			Type: e.Type, number: e.Version,
			Path: "events/" + slug(e.Type) + ".html", family: schema.Family(e.Type, e.Version),
		}
		b.events[e.Type] = known
		b.list = append(b.list, known)
	}
	known.number = max(known.number, e.Version)
	service := link{Text: p.Service, Path: "services/" + slug(p.Service) + ".html"}
	from := publisher{
		link: service, Project: p.File, Owner: p.Owner, Source: b.place(p, repositoryPath(p, e.Pos.File), e.Pos.Line), Go: b.goNames(p, e),
		event: e, project: p,
	}
	all := &known.Definitions
	if e.Consumed {
		all = &known.received
	}
	for _, d := range *all {
		if d.said == said {
			d.Publishers = append(d.Publishers, from)
			return nil
		}
	}
	*all = append(*all, &defined{Publishers: []publisher{from}, document: document, said: said})
	return nil
}

// saidOf returns all that a page says about an event for which the publisher does not
// matter. The document has neither the marks of fields nor the rules of the project.
func saidOf(p Project, e *schema.Event, document []byte) (string, error) {
	root, rows, _ := fieldsOf(e)
	said, err := json.Marshal([]any{string(document), p.Formats, e.CorrelationUUID, e.Compat, root, rows, e.Title, e.Description, jsonOf(e.Examples)})
	if err != nil {
		return "", fmt.Errorf("compare the descriptions of %s: %w", e.Type, err)
	}
	return string(said), nil
}

func jsonOf(values []*schema.Value) []string {
	var all []string
	for _, v := range values {
		all = append(all, v.JSON())
	}
	return all
}

// repositoryPath returns the path of a project's file from the root of the repository.
func repositoryPath(p Project, file string) string {
	if p.Dir == "" || p.Dir == "." {
		return file
	}
	return p.Dir + "/" + file
}

// place returns a place in a file, with its address if there is one.
func (b *builder) place(p Project, file string, line int) place {
	at, source := place{Text: file}, b.opts.Source
	if line > 0 {
		at.Text += ":" + strconv.Itoa(line)
	}
	if p.Source != nil {
		source = p.Source
	}
	if source != nil {
		at.URL = source(file, line)
	}
	return at
}

func (b *builder) goNames(p Project, e *schema.Event) []goName {
	file, ok := p.Go[e.GoName]
	if !ok {
		return nil
	}
	var names []goName
	for _, n := range file.Names {
		names = append(names, goName{Name: n.Name, Use: n.Use, At: b.place(p, file.Path, n.Line)})
	}
	return names
}

// service adds a project to its service, which may have no events.
func (b *builder) service(p Project) {
	g := b.services[p.Service]
	if g == nil {
		g = &group{Name: p.Service, Path: "services/" + slug(p.Service) + ".html", Of: "Service", kind: ofService}
		b.services[p.Service] = g
	}
	if p.Owner != "" && !slices.Contains(g.Owners, p.Owner) {
		g.Owners = append(g.Owners, p.Owner)
		slices.Sort(g.Owners)
	}
	about := proseOf(p.Description)
	if about.HTML != "" && !slices.ContainsFunc(g.About, func(known prose) bool { return known.HTML == about.HTML }) {
		g.About = append(g.About, about)
	}
	if !slices.Contains(g.Projects, p.File) {
		g.Projects = append(g.Projects, p.File)
		slices.Sort(g.Projects)
	}
}

// order sorts everything, and connects events with services, topics and versions.
func (b *builder) order() {
	slices.SortFunc(b.list, func(x, y *event) int {
		return cmp.Or(strings.Compare(x.family, y.family), cmp.Compare(y.number, x.number), strings.Compare(x.Type, y.Type))
	})
	families := map[string][]*event{}
	for _, e := range b.list {
		families[e.family] = append(families[e.family], e)
		b.consumers(e)
		for _, d := range e.Definitions {
			slices.SortFunc(d.Publishers, publisher.compare)
			d.event, d.project = d.Publishers[0].event, d.Publishers[0].project
		}
		slices.SortFunc(e.Definitions, func(x, y *defined) int {
			return cmp.Or(x.Publishers[0].compare(y.Publishers[0]), strings.Compare(x.said, y.said))
		})
		for _, d := range e.Definitions {
			for _, p := range d.Publishers {
				if !e.Foreign {
					e.Services = include(e.Services, p.link)
					b.services[p.Text].include(e)
				}
			}
			e.Deprecated = e.Deprecated || d.deprecated()
			e.Topics = include(e.Topics, b.topic(e, d))
		}
		first := e.Definitions[0]
		e.Version = strconv.Itoa(e.number)
		e.Title = cmp.Or(strings.TrimSpace(first.event.ShownTitle()), strings.TrimSuffix(first.event.GoName, "V"+strconv.Itoa(first.event.Version)), first.event.GoName)
		e.Summary = summary(first.event.ShownDescription())
	}
	for _, e := range b.list {
		for _, other := range families[e.family] {
			e.Versions = append(e.Versions, sibling{link: link{other.Type, other.Path}, Version: other.Version, Current: other == e})
		}
		if latest := e.Versions[0]; !latest.Current && families[e.family][0].number > e.number {
			e.Latest = &latest
		}
	}
	for _, e := range b.list {
		for _, s := range e.Services {
			b.services[s.Text].Others = mergeLinks(b.services[s.Text].Others, e.Topics)
		}
		for _, t := range e.Topics {
			b.topics[t.Text].Others = mergeLinks(b.topics[t.Text].Others, e.Services)
		}
	}
}

// consumers connects an event with the services that consume it. Their descriptions count
// if there are no others.
func (b *builder) consumers(e *event) {
	for _, d := range e.received {
		for _, p := range d.Publishers {
			e.Consumers = append(e.Consumers, p)
			if g := b.services[p.Text]; !slices.Contains(g.Consumed, e) {
				g.Consumed = append(g.Consumed, e)
			}
		}
	}
	slices.SortFunc(e.Consumers, publisher.compare)
	if e.Foreign = len(e.Definitions) == 0; e.Foreign {
		e.Definitions = e.received
	}
}

// Number is the version.
func (e *event) Number() int { return e.number }

// compare orders publishers. It says 0 only for those between which a page shows no
// difference.
func (p publisher) compare(q publisher) int {
	return cmp.Or(strings.Compare(p.Text, q.Text), strings.Compare(p.Project, q.Project), strings.Compare(p.Source.Text, q.Source.Text),
		strings.Compare(p.event.GoName, q.event.GoName))
}

// topic adds an event to its topic.
func (b *builder) topic(e *event, d *defined) link {
	name := d.event.Topic
	g := b.topics[name]
	if g == nil {
		g = &group{Name: name, Path: "topics/" + slug(name) + ".html", Of: "Topic", kind: ofTopic}
		b.topics[name] = g
	}
	g.include(e)
	g.Ordered = g.Ordered || d.event.Keyed
	k := keyed{Event: link{e.Type, e.Path}, Key: keyWords(d.event)}
	if !slices.Contains(g.Keys, k) {
		g.Keys = append(g.Keys, k)
	}
	return link{Text: name, Path: g.Path}
}

func (g *group) include(e *event) {
	if !slices.Contains(g.Events, e) {
		g.Events = append(g.Events, e)
	}
}

func include(all []link, one link) []link {
	if slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// mergeLinks returns the links of both lists once, sorted by text.
func mergeLinks(all, more []link) []link {
	for _, l := range more {
		all = include(all, l)
	}
	slices.SortFunc(all, func(x, y link) int { return strings.Compare(x.Text, y.Text) })
	return all
}

func (b *builder) sortedServices() []*group { return sorted(b.services) }
func (b *builder) sortedTopics() []*group   { return sorted(b.topics) }

func sorted(all map[string]*group) []*group {
	return slices.SortedFunc(maps.Values(all), func(x, y *group) int { return strings.Compare(x.Name, y.Name) })
}

// Service reports whether the group is a service and not a topic.
func (g *group) Service() bool { return g.kind == ofService }
