package kafka

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/consume"
)

// checkWrapper returns an error if batches would not pass a wrapper that embeds their
// router: it has the router's method Batch without having asked for it.
func checkWrapper(d Dispatcher) error {
	router, ok := d.(interface{ BatchEventTypes() []string })
	if _, plain := d.(*consume.Router); !ok || plain || !embedsRouter(reflect.TypeOf(d), nil) {
		return nil
	}
	types := router.BatchEventTypes()
	if len(types) == 0 {
		return nil
	}
	return fmt.Errorf("consume/kafka: Config.Router is a %T, which embeds a *consume.Router, so the batches of %s would not pass its Dispatch: "+
		"give middleware to consume.Use and consume.UseBatch; or keep the router in a field with a name, and write the methods Dispatch and Batch",
		d, strings.Join(types, ", "))
}

// embedsRouter reports whether a type has a router as an embedded field, at any depth.
func embedsRouter(t reflect.Type, within []reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[consume.Router]() {
		return true
	}
	if t.Kind() != reflect.Struct || slices.Contains(within, t) {
		return false
	}
	within = append(within, t)
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && embedsRouter(f.Type, within) {
			return true
		}
	}
	return false
}
