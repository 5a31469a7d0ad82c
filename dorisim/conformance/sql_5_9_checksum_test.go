package conformance

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/hash"
)

// TestHashFunctions: each argument's hash is the seed of the next one's, NULL
// makes NULL, and what is no text is cast to one.
func TestHashFunctions(t *testing.T) {
	s := source(t)
	for expression, want := range map[string]string{
		"murmur_hash3_64('hello')":                          "-3215607508166160593",
		"MURMUR_HASH3_64('hello', 'world')":                 "3583109472027628045",
		"murmur_hash3_64('hello', 'world', '!')":            "1887828212617890932",
		"murmur_hash3_32('hello')":                          "1321743225",
		"murmur_hash3_32('hello', 'world')":                 "984713481",
		"xxhash_64('hello')":                                "-7685981735718036227",
		"xxhash_64('hello', 'world')":                       "7001965798170371843",
		"xxhash_64('hello', 'world', '!')":                  "6796829678999971400",
		"xxhash_32('hello', 'world')":                       "-920844969",
		"murmur_hash3_64('hello', NULL)":                    "NULL",
		"xxhash_64(NULL)":                                   "NULL",
		"murmur_hash3_64('')":                               "0",
		"murmur_hash3_64(12) = murmur_hash3_64('12')":       "1",
		"murmur_hash3_64(1.50) = murmur_hash3_64('1.50')":   "1",
		"xxhash_64(ifnull(NULL, 'hello'))":                  "-7685981735718036227",
		"bit_shift_right(xxhash_64('hello'), 48)":           "38229",
		"bitand(xxhash_64('hello'), 255)":                   "253",
		"bitxor(6, 3)":                                      "5",
		"bitnot(0)":                                         "-1",
		"bit_shift_left(1, 63)":                             "-9223372036854775808",
		"bit_shift_left(1, 64)":                             "0",
		"cast(murmur_hash3_64('hello') AS LARGEINT) * 10":   "-32156075081661605930",
		"cast(murmur_hash3_64('hello') AS DECIMAL(38, 0))":  "-3215607508166160593",
		"cast(2.5 AS STRING)":                               "2.5",
		"concat(cast(1 AS STRING), '/', 2, '/', 3.50)":      "1/2/3.50",
		"concat_ws('|', 'a', NULL, cast(1.5 AS FLOAT), '')": "a|1.5|",
		"hex('a') = '61' AND length('abc') = 3":             "1",
		"cast('1' AS VARCHAR(10))":                          "1",
		"bitmap_to_string(bitmap_from_string('3, 1'))":      "1,3",
		"hll_cardinality(hll_hash('x'))":                    "1",
	} {
		require.Equal(t, want, s.query("SELECT %s AS x", expression)[0]["x"], expression)
	}
	for _, expression := range []string{"murmur_hash3_64(to_bitmap(1))", "cast(hll_hash('x') AS STRING)", "xxhash_64()"} {
		s.refuses(1105, "", "SELECT %s", expression)
	}
	require.Equal(t, []string{"cast(1 AS STRING)", "sum(2)"}, s.columns("SELECT cast(1 AS STRING), sum(2)"), "columns keep their labels")
}

// TestMissingFunctions: what a version does not have is refused as any unknown
// name is.
func TestMissingFunctions(t *testing.T) {
	_, s := private(t, func(c *dorisim.Config) {
		c.FEConfig = map[string]string{"dorisim_missing_functions": "xxhash_64, xxhash_32"}
	})
	s.refuses(1105, "Can not found function 'xxhash_64'", "SELECT count(*), sum(xxhash_64('a'))")
	s.refuses(1105, "Can not found function 'XXHASH_32'", "SELECT XXHASH_32('a')")
	require.Equal(t, "-3215607508166160593", s.query("SELECT murmur_hash3_64('hello') AS x")[0]["x"])
	s.refuses(1105, "Can not found function 'no_such_hash'", "SELECT no_such_hash('a')")
}

// TestSums: sums of integers wrap within BIGINT or LARGEINT, those of DECIMALs
// are exact.
func TestSums(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.`t` (`k` INT, `big` BIGINT, `large` LARGEINT, `d` DECIMAL(10, 2), `f` DOUBLE, `s` VARCHAR(10)) "+
		"DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 3 %s", db, once)
	s.exec("INSERT INTO `%s`.`t` VALUES "+
		"(1, 9223372036854775807, 170141183460469231731687303715884105727, 1.25, 0.5, 'a'), (1, 2, 2, 2.5, 0.25, 'b'), (2, NULL, NULL, NULL, NULL, NULL)", db)
	hashes := int64(hash.Murmur3x64("a", 0)) + int64(hash.Murmur3x64("b", 0)) // wraps, too
	for expression, want := range map[string]string{
		"sum(big)":                           "-9223372036854775807",
		"sum(cast(big AS LARGEINT))":         "9223372036854775809",
		"sum(cast(big AS DECIMAL(38, 0)))":   "9223372036854775809",
		"sum(large)":                         "-170141183460469231731687303715884105727",
		"sum(d)":                             "3.75",
		"sum(f)":                             "0.75",
		"sum(k)":                             "4",
		"sum(DISTINCT k)":                    "3",
		"count(*)":                           "3",
		"count(s)":                           "2",
		"sum(murmur_hash3_64(s))":            strconv.FormatInt(hashes, 10),
		"sum(ifnull(murmur_hash3_64(s), 1))": strconv.FormatInt(hashes+1, 10),
		"sum(CASE WHEN s IS NULL THEN 1 ELSE 0 END)": "1",
	} {
		require.Equal(t, want, s.query("SELECT %s AS x FROM `%s`.`t`", expression, db)[0]["x"], expression)
	}
	require.Equal(t, "NULL", s.query("SELECT sum(big) AS x FROM `%s`.`t` WHERE k = 2", db)[0]["x"])
	require.Equal(t, []row{{"k": "1", "n": "2", "x": "9223372036854775809"}},
		s.query("SELECT k, count(*) AS n, sum(cast(big AS LARGEINT)) AS x FROM `%s`.`t` GROUP BY k HAVING sum(big) < 0 ORDER BY sum(k)", db))
}

// TestCastToText: every type as Doris prints it.
func TestCastToText(t *testing.T) {
	s := source(t)
	db := s.database()
	for _, c := range []struct{ kind, literal, want string }{
		{"BOOLEAN", "true", "1"},
		{"TINYINT", "-5", "-5"},
		{"LARGEINT", "170141183460469231731687303715884105727", "170141183460469231731687303715884105727"},
		{"DECIMAL(10, 3)", "1.5", "1.500"},
		{"DECIMAL(38, 0)", "99999999999999999999999999999999999999", "99999999999999999999999999999999999999"},
		{"FLOAT", "0.1", "0.1"},
		{"FLOAT", "3.14159274", "3.1415927"},
		{"FLOAT", "1000000", "1e+06"},
		{"FLOAT", "16777216", "16777216"},
		{"FLOAT", "0.00001", "1e-05"},
		{"DOUBLE", "0.1", "0.1"},
		{"DOUBLE", "1000000", "1000000"},
		{"DOUBLE", "1e16", "1e+16"},
		{"DOUBLE", "0.0001", "0.0001"},
		{"DOUBLE", "0.00001", "1e-05"},
		{"DATE", "'2024-02-29'", "2024-02-29"},
		{"DATETIME", "'2024-02-29 01:02:03'", "2024-02-29 01:02:03"},
		{"DATETIME(3)", "'2024-02-29 01:02:03.5'", "2024-02-29 01:02:03.500"},
		{"DATETIME(6)", "'2024-02-29 01:02:03'", "2024-02-29 01:02:03.000000"},
		{"VARCHAR(20)", "'a b'", "a b"},
		{"STRING", "''", ""},
		{"JSON", `'{"a": [1, 2]}'`, `{"a":[1,2]}`},
		{"VARIANT", `'{"a": 1}'`, `{"a":1}`},
		{"ARRAY<INT>", "'[1, 2]'", "[1, 2]"},
		{"MAP<STRING, INT>", `'{"a":1}'`, `{"a":1}`},
		{"STRUCT<a:INT, b:STRING>", `'{"a":1,"b":"x"}'`, `{"a":1, "b":"x"}`},
		{"IPV4", "'10.0.0.1'", "10.0.0.1"},
		{"IPV6", "'2001:db8:0::1'", "2001:db8::1"},
	} {
		s.exec("CREATE TABLE `%s`.`t` (`k` INT, `v` %s NULL) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 %s", db, c.kind, once)
		s.exec("INSERT INTO `%s`.`t` VALUES (1, %s), (2, NULL)", db, c.literal)
		rows := s.query("SELECT cast(`v` AS STRING) AS x, murmur_hash3_64(`v`) = murmur_hash3_64(cast(`v` AS STRING)) AS same, length(cast(`v` AS STRING)) AS n "+
			"FROM `%s`.`t` ORDER BY `k`", db)
		require.Equal(t, c.want+",NULL", values(rows, "x"), "%s %s", c.kind, c.literal)
		require.Equal(t, "1,NULL", values(rows, "same"), c.kind)
		s.exec("DROP TABLE `%s`.`t` FORCE", db)
	}
}
