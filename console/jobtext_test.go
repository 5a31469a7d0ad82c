package console

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// translated is a text as a page in Chinese has it, without the element that has the English one as its title.
func translated(t *testing.T, text string) string {
	t.Helper()
	html := string(newChineseJobTexts().html(text))
	html = regexp.MustCompile(`^<span title="[^"]*">(.*)</span>$`).ReplaceAllString(html, "$1")
	return html
}

func TestTextsOfJobsInChinese(t *testing.T) {
	t.Parallel()
	for english, want := range map[string]string{
		"nothing: the job is running": "无需处理：任务正在运行",
		// What people type stays as it is, in code.
		"add it to the host mapping with update_host_mapping": "用 <code>update_host_mapping</code> 把它加入主机映射",
		// Names and numbers are where the other language wants them.
		"the source has no table orders with the id 7 any more: nothing to sync": "源端已没有 id 为 7 的表 orders：无需同步",
		"command pause by alice@ops carried out":                                 "命令 <code>pause</code> 由 alice@ops 执行",
		"command pause carried out":                                              "命令 <code>pause</code> 已执行",
		// A text in a text.
		"cannot go on: the source database d does not exist any more":             "无法继续：源端库 d 已不存在",
		"full sync starts at commit seq 9: the user required a partial sync of t": "全量同步开始于 commit seq 9：用户要求对 t 做部分同步",
		"list backends of the source: nobody knows this":                          "列出源端的 BE：<span lang=\"en\">nobody knows this</span>",
		// Texts that are put together when they are said.
		"take snapshot: list the views of the source: access denied": "生成快照：列出源端的视图：访问被拒绝",
		"it was written during 2 of 3 tries; no answer in 3 tries":   "3 次尝试中有 2 次期间有写入；尝试 3 次未得到结果",
		"src database d not exists (create it, or correct its name)": "源端库 d 不存在（创建它，或更正名称）",
		"[normal] name is empty":                                     "[normal] 名称为空",
		"source and destination differ in columns: only the first has a INT; b INT and b BIGINT; indexes: only the second has i": "源端与目标端不一致：列：只有前者有 a INT；分别为 b INT 和 b BIGINT；索引：只有后者有 i",
		// What Doris says stays English, and is marked.
		"backup s was cancelled: Table t is not a OLAP table, it is a view":                                                         "备份 s 被取消：<span lang=\"en\">Table t is not a OLAP table, it is a view</span>",
		"fe1:9030: Error 1105: no such thing":                                                                                       "<span lang=\"en\">fe1:9030: Error 1105: no such thing</span>",
		"restoring the snapshot fails again and again: 3 restores were cancelled, the last one: [COMMON_ERROR, msg: something new]": "恢复快照反复失败：3 次恢复被取消，最后一次：<span lang=\"en\">[COMMON_ERROR, msg: something new]</span>",
		"cannot go on: apply UPSERT at commit seq 5: commit transaction 7: disk full":                                               "无法继续：应用 UPSERT，commit seq 5：提交事务 7：<span lang=\"en\">disk full</span>",
		"command resume: ignored unknown field \"x\"":                                                                               "命令 <code>resume</code>：忽略了未知的字段 &#34;x&#34;",
		"[normal] the job could not go on: src database d not exists (create it, or correct its name) (nothing is changed)":         "[normal] 任务将无法继续：源端库 d 不存在（创建它，或更正名称）（未做任何更改）",
		"database as it was": "<span lang=\"en\">database as it was</span>",
		"look for the oldest binlog: fe1:9020: GetBinlog: not sent: dial tcp 10.0.0.1:9020: connect: connection refused":            "查找最早的 binlog：fe1:9020：GetBinlog：未发送：<span lang=\"en\">dial tcp 10.0.0.1:9020: connect: connection refused</span>",
		"list the views of the source: fe1:9030: no answer, outcome unknown: no answer in 30s (statement: SHOW TABLES FROM `d`)":    "列出源端的视图：fe1:9030：没有应答，结果未知：30s 内没有应答（语句：<code>SHOW TABLES FROM `d`</code>）",
		"be b1:9060: ingest_binlog: FAILED no route: transaction 5, tablet 7 from b9:8040: download from the source backend failed": "BE b1:9060：ingest_binlog：FAILED no route：事务 5，来自 b9:8040 的 tablet 7：从源端 BE 下载失败",
		// What is in the language already.
		"commit seq 必须是数字。": "commit seq 必须是数字。",
		"":                  "",
		// Nothing that a table is called becomes an element.
		"table <b>x</b> was written": "表 &lt;b&gt;x&lt;/b&gt; 有写入",
	} {
		require.Equal(t, want, translated(t, english), english)
	}
}

func TestTheEnglishTextIsTheTitle(t *testing.T) {
	t.Parallel()
	texts := newChineseJobTexts()
	require.Equal(t, `<span title="label &#34;a&lt;b&#34;">label &#34;a&lt;b&#34;</span>`, string(texts.html(`label "a<b"`)))
	require.NotContains(t, string(texts.html("nobody knows this")), "title")
	require.Equal(t, "用 update_host_mapping 把它加入主机映射", texts.plain("add it to the host mapping with update_host_mapping"))
}

// A text that somebody has made long so that matching it takes for ever does not.
func TestLongTextsAreMatchedInBoundedSteps(t *testing.T) {
	t.Parallel()
	texts := newChineseJobTexts()
	for _, part := range []string{" (", ": ", "; ", " at commit seq ", " is ", " and "} {
		text := "table " + strings.Repeat("x"+part, 20_000)
		steps := 0
		for _, p := range slices.Concat(texts.byWord["table"], texts.others) {
			tries := maxMatchTries
			if len(p.verbs) > 0 && strings.HasPrefix(text, p.literals[0]) {
				p.matchHoles(text[len(p.literals[0]):], nil, &tries)
			}
			steps += maxMatchTries - tries
		}
		require.Less(t, steps, (len(texts.byWord["table"])+len(texts.others))*(maxMatchTries+1))
		texts.html(text)
	}
}

// code is what a text names that people type: commands, options, statements.
var code = regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)+\b|\b[A-Z]{3,}(?: [A-Z]{2,})+\b|--[a-z-]+|\b(?:ccr|temporal) (?:worker|server|seal|workflow|activity)\b`)

// The Chinese texts have what the English ones have: each hole once, and what people type as it is, as code.
func TestTranslationsKeepWhatTheEnglishHas(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, catalogue := range append(chineseJobTexts(), chineseDefinitions) {
		for english, chinese := range catalogue {
			p := newJobPattern(english, chinese)
			require.False(t, seen[strings.Join(p.literals, "%")+string(p.verbs)], "twice: %q", english)
			seen[strings.Join(p.literals, "%")+string(p.verbs)] = true

			var holes []int
			inCode, all := "", ""
			for _, part := range p.translated {
				text := part.text
				if part.hole >= 0 {
					holes, text = append(holes, part.hole), "%"
				}
				if all += text; part.code {
					inCode += text
				} else {
					inCode += "\n"
				}
			}
			slices.Sort(holes)
			want := make([]int, len(p.verbs))
			for i := range want {
				want[i] = i
			}
			require.Equal(t, want, append([]int{}, holes...), "%q has other holes than %q", chinese, english)
			plain := strings.Join(p.literals, "%")
			for span := range strings.SplitSeq(inCode, "\n") {
				if !strings.Contains(squeezed(plain), squeezed(span)) && span != "%" {
					t.Errorf("%q is not in %q", span, english)
				}
			}
			for _, name := range code.FindAllString(plain, -1) {
				if !strings.Contains(inCode, name) && name != english && name != "HTTP API" {
					t.Errorf("%q is not code in the Chinese of %q", name, english)
				}
			}
			require.Equal(t, 0, strings.Count(chinese, "`")%2, chinese)
		}
	}
}

// squeezed leaves out what may differ within code: blanks, and the escaped percent sign.
func squeezed(text string) string { return strings.NewReplacer(" ", "", "%%", "%").Replace(text) }

// No catalogue has texts that are said no more.
func TestNoTranslationIsOfATextThatIsGone(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	for _, dir := range slices.Concat(packagesThatTell, []string{"access", "console", "doris/*"}) {
		names, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		require.NoError(t, err)
		for _, name := range names {
			if !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(filepath.Base(name), "jobtext_zh") {
				text, err := os.ReadFile(name)
				require.NoError(t, err)
				source.WriteString(strings.ReplaceAll(string(text), `\"`, `"`))
			}
		}
	}
	for _, catalogue := range append(chineseJobTexts(), chineseDefinitions) {
		for english := range catalogue {
			longest := ""
			for _, text := range newJobPattern(english, "").literals {
				for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(`;:,("%`, r) }) {
					if part = strings.TrimSpace(part); len(part) > len(longest) {
						longest = part
					}
				}
			}
			if !isMadeOf(source.String(), longest, 3) {
				t.Errorf("nothing says %q any more", english)
			}
		}
	}
}

// isMadeOf tells whether a text is in the source, in so many parts at most.
func isMadeOf(source, text string, parts int) bool {
	if strings.Contains(source, text) {
		return true
	}
	for at := 0; parts > 1 && at < len(text); at++ {
		if text[at] == ' ' && strings.Contains(source, text[:at]) && isMadeOf(source, text[at+1:], parts-1) {
			return true
		}
	}
	return false
}

// The pages show jobs' texts in the language of the page.
func TestPagesShowTextsOfJobsInChinese(t *testing.T) {
	t.Parallel()
	one := makeJob("j1", stalled)
	one.Status.Problem.Text = "source table d.t does not exist any more"
	one.Status.Problem.Remedy = "recover or create the table on the source, or delete the job"
	b := newSite(t, &fakeBackend{jobs: []Job{one}, progress: map[string]job.Progress{"j1": {Events: []job.Event{{Text: "job created", Level: "info"}}}}}, false)
	require.Contains(t, b.get("/console/job?name=j1"), "source table d.t does not exist any more")
	require.NotContains(t, b.get("/console/job?name=j1"), `lang="en">source table`)
	b.header = http.Header{"Accept-Language": {"zh-CN"}, "Accept": {"text/html"}}
	page := b.get("/console/job?name=j1")
	require.Contains(t, page, "源端表 <code>d.t</code> 已不存在")
	require.Contains(t, page, "在源端恢复或创建该表，或删除任务")
	require.Contains(t, page, `<p lang="en">source table d.t does not exist any more</p><p lang="en">recover or create`, "the English text is there, too")
	require.Contains(t, b.get("/"), `title="source table d.t does not exist any more"`)
	require.Contains(t, b.get("/console/job?name=j1&tab=events"), "任务已创建")
}

// shownText is a template's value whose name is that of a text of a job.
var shownText = regexp.MustCompile(`\{\{[$\w.]*\.(?:Text|Remedy|Doing|Detail|Check|Error|Failure|Outcome|Result|Why|Problem|NextStep|Note|Reason|Schedule|Level)\}\}`)

// A template that shows a text of a job shows it in the language of the page, but where it says that it is English.
func TestTemplatesTranslateTextsOfJobs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("templates/*.html")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, at := range shownText.FindAllStringIndex(string(text), -1) {
			before := string(text[:at[0]])
			inTag := strings.LastIndex(before, "<") > strings.LastIndex(before, ">")
			if !inTag && !strings.HasSuffix(before, `lang="en">`) {
				t.Errorf("%s: %s is shown without J", file, text[at[0]:at[1]])
			}
		}
	}
}

// Only what is shown is translated: a page of the list, however many jobs there are.
func TestAListOfManyJobsInChinese(t *testing.T) {
	t.Parallel()
	f := &fakeBackend{}
	for i := range 1000 {
		one := makeJob(fmt.Sprintf("j%04d", i), nil)
		one.Status.Doing = "check both clusters"
		f.jobs = append(f.jobs, one)
	}
	b := newSite(t, f, false)
	b.header = http.Header{"Accept-Language": {"zh"}, "Accept": {"text/html"}}
	require.Equal(t, jobsAPage, strings.Count(b.get("/"), "检查两个集群"))
}

// benchmarkTexts are what a list of jobs shows.
var benchmarkTexts = []string{
	"stream binlogs", "take a full snapshot", "backup ccr_snap_1 was cancelled: [TIMEOUT, msg: timeout]",
	"fe1:9030: Error 1105: errCode = 2, detailMessage = something that is not known (statement: ALTER TABLE `d`.`t` ADD COLUMN c INT)",
}

// A page of the list has a hundred of these, and no page translates what it does not show.
func BenchmarkTextsOfJobsInChinese(b *testing.B) {
	texts := newChineseJobTexts()
	b.ReportAllocs()
	for b.Loop() {
		for _, text := range benchmarkTexts {
			texts.html(text)
		}
	}
}
