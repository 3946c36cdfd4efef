package workload

import (
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/testdata/service/events/outboxdb"
)

// insert has the statements of generated code.
var insert = gen.SQL{One: outboxdb.InsertEvent, Many: outboxdb.InsertEvents}
