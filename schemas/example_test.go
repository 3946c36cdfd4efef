package schemas_test

import (
	"encoding/json"
	"fmt"

	"github.com/outboxgen/outboxgen/schemas"
)

// A plug-in of an editor uses the schema for event schemas.
func ExampleEventSchema() {
	var schema struct {
		ID string `json:"$id"`
	}
	err := json.Unmarshal([]byte(schemas.EventSchema()), &schema)
	fmt.Println(schema.ID == schemas.EventSchemaURL, err)
	// Output: true <nil>
}
