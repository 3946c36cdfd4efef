package golden_test

import (
	"testing"

	shapes "github.com/outboxgen/outboxgen/testdata/golden/shapes/events"
)

// shape is a small named piece of JSON Schema, and the type that the generator
// makes of it. The schema is testdata/golden/shapes/schemas/NAME.yaml, its golden
// output testdata/golden/shapes/events/NAME_v1.go, and its documents, valid and
// not, are testdata/golden/shapes/documents/NAME.json.
type shape struct {
	verdict   func(document []byte) error
	roundTrip func(t *testing.T, document []byte)
	again     func(t *testing.T, document []byte)
}

func shapeOf[T data]() shape {
	return shape{
		verdict:   verdict[T],
		roundTrip: func(t *testing.T, document []byte) { t.Helper(); equalAgain[T](t, document) },
		again:     func(t *testing.T, document []byte) { t.Helper(); again[T](t, document) },
	}
}

// shapesByFamily has all shapes by family.
var shapesByFamily = map[string]map[string]shape{
	"objects": {
		"flat_object":          shapeOf[shapes.FlatObjectV1](),
		"nested_object":        shapeOf[shapes.NestedObjectV1](),
		"free_object":          shapeOf[shapes.FreeObjectV1](),
		"closed_object":        shapeOf[shapes.ClosedObjectV1](),
		"empty_object":         shapeOf[shapes.EmptyObjectV1](),
		"undescribed_required": shapeOf[shapes.UndescribedRequiredV1](),
		"deprecated_member":    shapeOf[shapes.DeprecatedMemberV1](),
		"awkward_names":        shapeOf[shapes.AwkwardNamesV1](),
	},
	"required, not null": {
		"required_string":  shapeOf[shapes.RequiredStringV1](),
		"required_integer": shapeOf[shapes.RequiredIntegerV1](),
		"required_number":  shapeOf[shapes.RequiredNumberV1](),
		"required_boolean": shapeOf[shapes.RequiredBooleanV1](),
		"required_list":    shapeOf[shapes.RequiredListV1](),
		"required_map":     shapeOf[shapes.RequiredMapV1](),
	},
	"optional, not null": {
		"optional_string": shapeOf[shapes.OptionalStringV1](),
		"optional_list":   shapeOf[shapes.OptionalListV1](),
		"optional_map":    shapeOf[shapes.OptionalMapV1](),
		"optional_object": shapeOf[shapes.OptionalObjectV1](),
	},
	"required, nullable": {
		"required_nullable_string": shapeOf[shapes.RequiredNullableStringV1](),
		"required_nullable_list":   shapeOf[shapes.RequiredNullableListV1](),
		"required_nullable_object": shapeOf[shapes.RequiredNullableObjectV1](),
	},
	"optional and nullable": {
		"optional_nullable_uuid":      shapeOf[shapes.OptionalNullableUUIDV1](),
		"optional_nullable_list":      shapeOf[shapes.OptionalNullableListV1](),
		"optional_nullable_map":       shapeOf[shapes.OptionalNullableMapV1](),
		"optional_nullable_reference": shapeOf[shapes.OptionalNullableReferenceV1](),
		"nullable_by_const":           shapeOf[shapes.NullableByConstV1](),
	},
	"arrays": {
		"list_of_nullables":     shapeOf[shapes.ListOfNullablesV1](),
		"list_of_lists":         shapeOf[shapes.ListOfListsV1](),
		"list_of_objects":       shapeOf[shapes.ListOfObjectsV1](),
		"list_of_anything":      shapeOf[shapes.ListOfAnythingV1](),
		"map_of_nullable_lists": shapeOf[shapes.MapOfNullableListsV1](),
		"list_of_maps":          shapeOf[shapes.ListOfMapsV1](),
		"empty_list_only":       shapeOf[shapes.EmptyListOnlyV1](),
	},
	"tuples": {
		"closed_tuple":             shapeOf[shapes.ClosedTupleV1](),
		"tuple_with_rest":          shapeOf[shapes.TupleWithRestV1](),
		"open_tuple":               shapeOf[shapes.OpenTupleV1](),
		"tuple_of_objects":         shapeOf[shapes.TupleOfObjectsV1](),
		"list_of_tuples":           shapeOf[shapes.ListOfTuplesV1](),
		"draft_07_tuple":           shapeOf[shapes.Draft07TupleV1](),
		"draft_07_tuple_with_rest": shapeOf[shapes.Draft07TupleWithRestV1](),
	},
	"enums": {
		"string_enum":          shapeOf[shapes.StringEnumV1](),
		"nullable_string_enum": shapeOf[shapes.NullableStringEnumV1](),
		"integer_enum":         shapeOf[shapes.IntegerEnumV1](),
		"number_enum":          shapeOf[shapes.NumberEnumV1](),
		"boolean_enum":         shapeOf[shapes.BooleanEnumV1](),
		"mixed_enum":           shapeOf[shapes.MixedEnumV1](),
		"open_string_enum":     shapeOf[shapes.OpenStringEnumV1](),
		"titled_enum":          shapeOf[shapes.TitledEnumV1](),
		"list_of_enums":        shapeOf[shapes.ListOfEnumsV1](),
	},
	"const": {
		"string_const":   shapeOf[shapes.StringConstV1](),
		"required_const": shapeOf[shapes.RequiredConstV1](),
		"number_const":   shapeOf[shapes.NumberConstV1](),
		"object_const":   shapeOf[shapes.ObjectConstV1](),
		"list_const":     shapeOf[shapes.ListConstV1](),
		"null_only":      shapeOf[shapes.NullOnlyV1](),
	},
	"oneOf, anyOf": {
		"union_by_const":          shapeOf[shapes.UnionByConstV1](),
		"union_by_enum_tag":       shapeOf[shapes.UnionByEnumTagV1](),
		"union_by_deep_tag":       shapeOf[shapes.UnionByDeepTagV1](),
		"union_by_integer_tag":    shapeOf[shapes.UnionByIntegerTagV1](),
		"union_by_type":           shapeOf[shapes.UnionByTypeV1](),
		"types_as_list":           shapeOf[shapes.TypesAsListV1](),
		"union_by_required":       shapeOf[shapes.UnionByRequiredV1](),
		"nullable_union":          shapeOf[shapes.NullableUnionV1](),
		"list_of_unions":          shapeOf[shapes.ListOfUnionsV1](),
		"map_of_unions":           shapeOf[shapes.MapOfUnionsV1](),
		"overlapping_union":       shapeOf[shapes.OverlappingUnionV1](),
		"exactly_one_of":          shapeOf[shapes.ExactlyOneOfV1](),
		"union_beside_properties": shapeOf[shapes.UnionBesidePropertiesV1](),
		"recursive_union":         shapeOf[shapes.RecursiveUnionV1](),
		"one_of_required":         shapeOf[shapes.OneOfRequiredV1](),
	},
	"allOf": {
		"all_of_references":         shapeOf[shapes.AllOfReferencesV1](),
		"all_of_bounds":             shapeOf[shapes.AllOfBoundsV1](),
		"all_of_same_member":        shapeOf[shapes.AllOfSameMemberV1](),
		"reference_beside_keywords": shapeOf[shapes.ReferenceBesideKeywordsV1](),
		"extended_object":           shapeOf[shapes.ExtendedObjectV1](),
		"closed_beside_all_of":      shapeOf[shapes.ClosedBesideAllOfV1](),
		"typed_additional_in_parts": shapeOf[shapes.TypedAdditionalInPartsV1](),
	},
	"additionalProperties, patternProperties": {
		"typed_additional":          shapeOf[shapes.TypedAdditionalV1](),
		"map_of_objects":            shapeOf[shapes.MapOfObjectsV1](),
		"map_of_maps":               shapeOf[shapes.MapOfMapsV1](),
		"pattern_map":               shapeOf[shapes.PatternMapV1](),
		"pattern_beside_properties": shapeOf[shapes.PatternBesidePropertiesV1](),
		"overlapping_patterns":      shapeOf[shapes.OverlappingPatternsV1](),
		"forbidden_pattern":         shapeOf[shapes.ForbiddenPatternV1](),
		"forbidden_beside_pattern":  shapeOf[shapes.ForbiddenBesidePatternV1](),
		"property_names":            shapeOf[shapes.PropertyNamesV1](),
		"counted_members":           shapeOf[shapes.CountedMembersV1](),
	},
	"formats": {
		"format_date_time": shapeOf[shapes.FormatDateTimeV1](),
		"format_date":      shapeOf[shapes.FormatDateV1](),
		"format_time":      shapeOf[shapes.FormatTimeV1](),
		"format_duration":  shapeOf[shapes.FormatDurationV1](),
		"format_uuid":      shapeOf[shapes.FormatUUIDV1](),
		"format_email":     shapeOf[shapes.FormatEmailV1](),
		"format_uri":       shapeOf[shapes.FormatURIV1](),
		"format_ipv4":      shapeOf[shapes.FormatIPv4V1](),
		"format_hostname":  shapeOf[shapes.FormatHostnameV1](),
		"list_of_dates":    shapeOf[shapes.ListOfDatesV1](),
		"map_of_times":     shapeOf[shapes.MapOfTimesV1](),
		"base64_bytes":     shapeOf[shapes.Base64BytesV1](),
		"json_in_string":   shapeOf[shapes.JSONInStringV1](),
	},
	"numbers": {
		"integer_written_as_number": shapeOf[shapes.IntegerWrittenAsNumberV1](),
		"big_integer":               shapeOf[shapes.BigIntegerV1](),
		"unsigned_integer":          shapeOf[shapes.UnsignedIntegerV1](),
		"exact_decimal":             shapeOf[shapes.ExactDecimalV1](),
		"bounded_number":            shapeOf[shapes.BoundedNumberV1](),
	},
	"default": {
		"default_values":     shapeOf[shapes.DefaultValuesV1](),
		"default_object":     shapeOf[shapes.DefaultObjectV1](),
		"default_of_formats": shapeOf[shapes.DefaultOfFormatsV1](),
	},
	"recursion": {
		"recursive_object":   shapeOf[shapes.RecursiveObjectV1](),
		"recursive_list":     shapeOf[shapes.RecursiveListV1](),
		"recursive_map":      shapeOf[shapes.RecursiveMapV1](),
		"recursive_nullable": shapeOf[shapes.RecursiveNullableV1](),
		"mutual_recursion":   shapeOf[shapes.MutualRecursionV1](),
		"whole_recursion":    shapeOf[shapes.WholeRecursionV1](),
	},
	"constraints": {
		"string_lengths":  shapeOf[shapes.StringLengthsV1](),
		"string_pattern":  shapeOf[shapes.StringPatternV1](),
		"list_bounds":     shapeOf[shapes.ListBoundsV1](),
		"unique_objects":  shapeOf[shapes.UniqueObjectsV1](),
		"unique_decimals": shapeOf[shapes.UniqueDecimalsV1](),
		"contains_items":  shapeOf[shapes.ContainsItemsV1](),
	},
	"conditions": {
		"if_then_required":              shapeOf[shapes.IfThenRequiredV1](),
		"if_then_else":                  shapeOf[shapes.IfThenElseV1](),
		"conditional_member":            shapeOf[shapes.ConditionalMemberV1](),
		"dependent_required":            shapeOf[shapes.DependentRequiredV1](),
		"dependent_schemas":             shapeOf[shapes.DependentSchemasV1](),
		"not_const":                     shapeOf[shapes.NotConstV1](),
		"not_a_type":                    shapeOf[shapes.NotATypeV1](),
		"unevaluated":                   shapeOf[shapes.UnevaluatedV1](),
		"unevaluated_beside_additional": shapeOf[shapes.UnevaluatedBesideAdditionalV1](),
		"unevaluated_in_parts":          shapeOf[shapes.UnevaluatedInPartsV1](),
		"unevaluated_of_tuples":         shapeOf[shapes.UnevaluatedOfTuplesV1](),
	},
	"boolean schemas": {
		"anything":          shapeOf[shapes.AnythingV1](),
		"anything_required": shapeOf[shapes.AnythingRequiredV1](),
		"never":             shapeOf[shapes.NeverV1](),
	},
	"references": {
		"reference_to_file":         shapeOf[shapes.ReferenceToFileV1](),
		"reference_by_id":           shapeOf[shapes.ReferenceByIDV1](),
		"reference_by_anchor":       shapeOf[shapes.ReferenceByAnchorV1](),
		"reference_chain":           shapeOf[shapes.ReferenceChainV1](),
		"reference_into_properties": shapeOf[shapes.ReferenceIntoPropertiesV1](),
	},
	"dialects": {
		"draft_04_bounds":       shapeOf[shapes.Draft04BoundsV1](),
		"draft_06_const":        shapeOf[shapes.Draft06ConstV1](),
		"draft_07_definitions":  shapeOf[shapes.Draft07DefinitionsV1](),
		"draft_07_dependencies": shapeOf[shapes.Draft07DependenciesV1](),
		"draft_2019_recursion":  shapeOf[shapes.Draft2019RecursionV1](),
	},
}
