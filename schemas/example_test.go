package schemas_test

import (
	"encoding/json"
	"fmt"

	"github.com/outboxgen/outboxgen/schemas"
)

// An editor's plug-in offers the meta-schema for event schemas.
func ExampleEventSchema() {
	var schema struct {
		ID string `json:"$id"`
	}
	err := json.Unmarshal([]byte(schemas.EventSchema()), &schema)
	fmt.Println(schema.ID == schemas.EventSchemaURL, err)
	// Output: true <nil>
}
