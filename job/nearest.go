package job

// Nearest returns the words that are hardly different from a misspelt one: those at the
// least distance, at most two letters away.
func Nearest(word string, known []string) (near []string) {
	const tooFar = 3
	least := tooFar
	for _, candidate := range known {
		switch d := distance(word, candidate); {
		case d > least || d == tooFar:
		case d < least:
			least, near = d, []string{candidate}
		default:
			near = append(near, candidate)
		}
	}
	return near
}

// distance is how many letters must be put in, taken away or replaced to make b
// of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0] // of the letter before
		row[0] = i + 1
		for j := range len(b) {
			replaced := above
			if a[i] != b[j] {
				replaced++
			}
			above = row[j+1]
			row[j+1] = min(replaced, above+1, row[j]+1)
		}
	}
	return row[len(b)]
}
