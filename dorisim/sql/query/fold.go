package query

import "encoding/json"

// fold merges the texts of a JSON array; NULLs do not count. Without any text the
// result is none.
func fold(merge func(a, b string) string, result func(string) any, none any) func([]*string) (any, error) {
	return func(args []*string) (any, error) {
		if args[0] == nil {
			return none, nil
		}
		var texts []*string
		if err := json.Unmarshal([]byte(*args[0]), &texts); err != nil {
			return nil, err
		}
		var merged *string
		for _, text := range texts {
			switch {
			case text == nil:
			case merged == nil:
				merged = text
			default:
				both := merge(*merged, *text)
				merged = &both
			}
		}
		if merged == nil {
			return none, nil
		}
		return result(*merged), nil
	}
}
