package types_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/types"
)

func kind(k types.Kind) types.Type { return types.Type{Kind: k} }

func decimal(precision, scale int) types.Type {
	return types.Type{Kind: types.Decimal, Precision: precision, Scale: scale}
}

func TestParse(t *testing.T) {
	cases := []struct {
		text string
		t    types.Type
		want types.Value
		err  error
	}{
		{"true", kind(types.Boolean), int64(1), nil},
		{"0", kind(types.Boolean), int64(0), nil},
		{"maybe", kind(types.Boolean), nil, types.ErrSyntax},
		{"-128", kind(types.TinyInt), int64(-128), nil},
		{"128", kind(types.TinyInt), nil, types.ErrOutOfRange},
		{"12.9", kind(types.Int), int64(12), nil},
		{"1e3", kind(types.Int), int64(1000), nil},
		{"1e999999999", kind(types.Int), nil, types.ErrSyntax},
		{"0x10", kind(types.Int), nil, types.ErrSyntax},
		{"2147483648", kind(types.Int), nil, types.ErrOutOfRange},
		{"9223372036854775807", kind(types.BigInt), int64(9223372036854775807), nil},
		{"9223372036854775808", kind(types.BigInt), nil, types.ErrOutOfRange},
		{"170141183460469231731687303715884105727", kind(types.LargeInt), "170141183460469231731687303715884105727", nil},
		{"170141183460469231731687303715884105728", kind(types.LargeInt), nil, types.ErrOutOfRange},
		{"-170141183460469231731687303715884105728", kind(types.LargeInt), "-170141183460469231731687303715884105728", nil},
		{"1.5", kind(types.Double), 1.5, nil},
		{"1e400", kind(types.Double), nil, types.ErrOutOfRange},
		{"0.1", kind(types.Float), float64(float32(0.1)), nil},
		{"1.005", decimal(9, 2), "1.01", nil},
		{"-0.001", decimal(9, 2), "0.00", nil},
		{"10000000", decimal(9, 2), nil, types.ErrOutOfRange},
		{"12", decimal(9, 0), "12", nil},
		{"2024-1-2", kind(types.Date), "2024-01-02", nil},
		{"20240102", kind(types.Date), "2024-01-02", nil},
		{"2024-02-30", kind(types.Date), nil, types.ErrSyntax},
		{"2024-01-02 03:04:05.678", kind(types.DateTime), "2024-01-02 03:04:06", nil},
		{"2024-01-02T03:04:05.678", types.Type{Kind: types.DateTime, Scale: 2}, "2024-01-02 03:04:05.68", nil},
		{"2024-01-02", types.Type{Kind: types.DateTime, Scale: 3}, "2024-01-02 00:00:00.000", nil},
		{"äb", types.Type{Kind: types.Varchar, Len: 3}, "äb", nil},
		{"äbc", types.Type{Kind: types.Varchar, Len: 3}, nil, types.ErrTooLong},
		{`{"a": 1}`, kind(types.JSON), `{"a":1}`, nil},
		{`{`, kind(types.JSON), nil, types.ErrSyntax},
		{"plain", kind(types.Variant), "plain", nil},
		{"[1, 2]", kind(types.Array), "[1, 2]", nil},
	}
	for _, c := range cases {
		got, err := types.Parse(c.text, c.t)
		require.ErrorIs(t, err, c.err, c.text)
		require.Equal(t, c.want, got, c.text)
	}
}

func TestCompare(t *testing.T) {
	ordered := []struct {
		t      types.Type
		values []types.Value
	}{
		{kind(types.Int), []types.Value{nil, int64(-3), int64(2), int64(10)}},
		{kind(types.Double), []types.Value{nil, -1.5, 2.0}},
		{kind(types.LargeInt), []types.Value{nil, "-100", "-9", "0", "9", "100"}},
		{decimal(9, 2), []types.Value{"-12.50", "-12.49", "0.00", "0.10", "9.00", "10.00"}},
		{kind(types.Varchar), []types.Value{nil, "", "a", "aa", "b"}},
		{kind(types.Date), []types.Value{"2023-12-31", "2024-01-01"}},
	}
	for _, o := range ordered {
		for i, a := range o.values {
			for j, b := range o.values {
				want := min(max(i-j, -1), 1)
				require.Equal(t, want, types.Compare(a, b, o.t), "%v %v", a, b)
			}
		}
	}
	require.Zero(t, types.Compare("-0", "0", kind(types.LargeInt)))
}

func TestFormat(t *testing.T) {
	require.Equal(t, "1000000", types.Format(1e6, kind(types.Double)))
	require.Equal(t, "0.1", types.Format(float64(float32(0.1)), kind(types.Float)))
	require.Equal(t, "1e+20", types.Format(1e20, kind(types.Double)))
	require.Equal(t, "NULL", types.Format(nil, kind(types.Int)))
}

func TestAggregate(t *testing.T) {
	sum := types.Column{Type: decimal(9, 2), Agg: "SUM"}
	require.Equal(t, "3.75", types.Aggregate("1.25", "2.50", &sum))
	large := types.Column{Type: kind(types.LargeInt), Agg: "SUM"}
	require.Equal(t, "18446744073709551616", types.Aggregate("18446744073709551615", "1", &large))
	require.Equal(t, "1", types.Aggregate("1", nil, &large))
	require.Nil(t, types.Aggregate("1", nil, &types.Column{Agg: "REPLACE"}))
}

func TestDefaultValue(t *testing.T) {
	seven := "7"
	require.Equal(t, int64(7), types.DefaultValue(&types.Column{Type: kind(types.Int), Default: &seven}))
	require.Nil(t, types.DefaultValue(&types.Column{Type: kind(types.Int), Nullable: true}))
	require.Equal(t, "0.00", types.DefaultValue(&types.Column{Type: decimal(9, 2)}))
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1", "-1.5e3", "2024-01-02 03:04:05", "x", "1e-400", "+.5"} {
		f.Add(s)
	}
	all := []types.Type{kind(types.Boolean), kind(types.Int), kind(types.LargeInt), kind(types.Double), decimal(9, 2),
		kind(types.Date), {Kind: types.DateTime, Scale: 6}, kind(types.JSON)}
	f.Fuzz(func(t *testing.T, text string) {
		for _, typ := range all {
			v, err := types.Parse(text, typ)
			if err != nil {
				continue
			}
			again, err := types.Parse(types.Format(v, typ), typ)
			require.NoError(t, err)
			require.Equal(t, v, again, "canonical text parses to itself")
		}
	})
}
