package meta

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNormalizeRange(t *testing.T) {
	const listKey = "types: [VARCHAR]; keys: [a]; types: [VARCHAR]; keys: [b];"
	tests := map[string]struct{ in, want string }{
		"unpartitioned": {"", ""},
		"range": {
			"[types: [DATEV2]; keys: [2024-01-01]; ..types: [DATEV2]; keys: [2024-02-01]; )",
			"[types: [DATEV2]; keys: [2024-01-01]; ..types: [DATEV2]; keys: [2024-02-01]; )",
		},
		"range of a very old server": {
			"[types: [INT]; keys: [0]; \u2025types: [INT]; keys: [MAXVALUE]; )",
			"[types: [INT]; keys: [0]; ..types: [INT]; keys: [MAXVALUE]; )",
		},
		"list in binlogs":       {"partitionKeys: [types: [VARCHAR]; keys: [a]; types: [VARCHAR]; keys: [b]; ]; ", listKey},
		"list in old metadata":  {"[types: [VARCHAR]; keys: [a]; , types: [VARCHAR]; keys: [b]; ]", listKey},
		"one key, new spelling": {"partitionKeys: [types: [INT]; keys: [1]; ]; ", "types: [INT]; keys: [1];"},
		"one key, old spelling": {"[types: [INT]; keys: [1]; ]", "types: [INT]; keys: [1];"},
		"two columns": {
			"[types: [INT, VARCHAR]; keys: [1, x]; , types: [INT, VARCHAR]; keys: [2, y]; ]",
			"types: [INT, VARCHAR]; keys: [1, x]; types: [INT, VARCHAR]; keys: [2, y];",
		},
		"default partition, new spelling": {"partitionKeys: [types: []; keys: [default key]; ]; ", DefaultPartition},
		"default partition, old spelling": {"[types: [VARCHAR]; keys: [default key]; ]", DefaultPartition},
		"a leader inside a key stays":     {"[types: [VARCHAR]; keys: [\u2025]; ]", "types: [VARCHAR]; keys: [\u2025];"},
		"a bracket inside a key stays":    {"[types: [VARCHAR]; keys: [a]b]; ]", "types: [VARCHAR]; keys: [a]b];"},
		"something else":                  {" p1 ", "p1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, NormalizeRange(tt.in))
		})
	}
}

// Different partitions must never get one key: rows would go astray.
func TestNormalizeRangeKeepsPartitionsApart(t *testing.T) {
	texts := []string{
		"",
		"[types: [INT]; keys: [0]; ..types: [INT]; keys: [100]; )",
		"[types: [INT]; keys: [0]; ..types: [INT]; keys: [10]; )",
		"[types: [INT]; keys: [0]; ]",
		"[types: [INT]; keys: [0]; , types: [INT]; keys: [100]; ]",
		"[types: [INT]; keys: [NULL]; ]",
		"[types: [VARCHAR]; keys: [NULL]; ]",
		"partitionKeys: [types: [INT]; keys: [default key]; ]; ",
	}
	seen := map[string]string{}
	for _, text := range texts {
		key := NormalizeRange(text)
		require.NotContains(t, seen, key, "%q and %q", text, seen[key])
		seen[key] = text
	}
}

func FuzzNormalizeRange(f *testing.F) {
	for _, seed := range []string{
		"", "[", "]", "partitionKeys: [];", "[types: [INT]; keys: [1]; , types: [INT]; keys: [2]; ]",
		"partitionKeys: [types: [INT]; keys: [1]; types: [INT]; keys: [2]; ]; ",
		"[types: [INT]; keys: [0]; \u2025types: [INT]; keys: [9]; )",
		"partitionKeys: [types: []; keys: [default key]; ]; ", "; , types: [; , types: [",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := NormalizeRange(s)
		require.Equal(t, once, NormalizeRange(once), "normalizing is idempotent")
	})
}

// Both spellings of one list of keys must agree, whatever the keys are.
func FuzzNormalizeRangeSpellings(f *testing.F) {
	f.Add("a", "b")
	f.Add("]; ", "; , types: [")
	f.Add("default key", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		first, second := "types: [VARCHAR]; keys: ["+a+"]; ", "types: [VARCHAR]; keys: ["+b+"]; "
		require.Equal(t,
			NormalizeRange("partitionKeys: ["+first+second+"]; "),
			NormalizeRange("["+first+", "+second+"]"))
	})
}

func TestLookups(t *testing.T) {
	base := &Index{ID: 1, Name: "t"}
	shadow := &Index{ID: 2, Name: ShadowPrefix + "t"}
	formal := &Partition{ID: 10, Key: "k", Indexes: []*Index{base, shadow}}
	temporary := &Partition{ID: 11, Key: "k", Temporary: true}
	table := &Table{ID: 20, Name: "t", Partitions: []*Partition{temporary, formal}}
	db := &Database{Tables: map[int64]*Table{20: table}}

	require.Same(t, table, db.TableByName("t"))
	require.Nil(t, db.TableByName("T"))
	require.Same(t, formal, table.PartitionByKey("k"))
	require.Same(t, temporary, table.PartitionByID(11))
	require.Same(t, base, formal.IndexByID(1))
	require.Same(t, shadow, formal.IndexByName(ShadowPrefix+"t"))
	require.True(t, table.IsBase(base))
	require.False(t, base.Shadow())
	require.True(t, shadow.Shadow())
}
