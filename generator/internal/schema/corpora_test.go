package schema_test

import "github.com/google/go-cmp/cmp/cmpopts"
import "github.com/outboxgen/outboxgen/generator/internal/schema"

var ignoreUnexported = cmpopts.IgnoreUnexported(schema.Config{}, schema.Event{})
