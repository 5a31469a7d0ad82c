package console

// chineseJobTexts are the catalogues of what jobs say, in Chinese: the format of the English text, and the Chinese
// one with the same holes. See newJobPattern for how a translation is written.
func chineseJobTexts() []map[string]string {
	return []map[string]string{
		chineseRemedies, chineseEvents, chineseDoing, chineseProblems, chineseStreamProblems, chineseSnapshotProblems,
		chineseChangeProblems, chineseChecks, chineseFindings, chineseRefusals, chineseCalls, chineseAhead,
	}
}
