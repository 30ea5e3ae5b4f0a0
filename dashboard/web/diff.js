// What changed from one list of lines to another.

// The longest common subsequence of lines: [' ', line], ['-', line], ['+', line].
export function diff(before, after) {
    let begin = 0
    while (begin < before.length && begin < after.length && before[begin] === after[begin]) {
        ++begin
    }
    let end = 0
    while (
        end < before.length - begin &&
        end < after.length - begin &&
        before.at(-1 - end) === after.at(-1 - end)
    ) {
        ++end
    }
    const a = before.slice(begin, before.length - end)
    const b = after.slice(begin, after.length - end)
    const length = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1))
    for (let i = a.length - 1; i >= 0; --i) {
        for (let j = b.length - 1; j >= 0; --j) {
            length[i][j] =
                a[i] === b[j]
                    ? length[i + 1][j + 1] + 1
                    : Math.max(length[i + 1][j], length[i][j + 1])
        }
    }
    const out = before.slice(0, begin).map((each) => [' ', each])
    let [i, j] = [0, 0]
    while (i < a.length || j < b.length) {
        if (i < a.length && j < b.length && a[i] === b[j]) {
            out.push([' ', a[i++]])
            ++j
        } else if (i < a.length && (j === b.length || length[i + 1][j] >= length[i][j + 1])) {
            out.push(['-', a[i++]])
        } else {
            out.push(['+', b[j++]])
        }
    }
    return [...out, ...after.slice(after.length - end).map((each) => [' ', each])]
}
