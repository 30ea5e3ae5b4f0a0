// A browser goes through the web page: `node page_test.mjs '{"packages": ..., "chromium": ...,
// "live": URL, "recording": URL, "guarded": URL, "token": ..., "pictures": FOLDER}'`.
// page_test.py starts it and what it looks at. It prints `ok|NAME` or `failed|NAME|WHY`, asks for
// what it cannot do itself (`please restart`, answered with `done`), and ends with `finished`.
// Nothing sleeps: it waits for what the page shows, or for the counters in window.fleetarium.

import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const given = JSON.parse(process.argv[2])
const { chromium } = createRequire(`${given.packages}/package.json`)('playwright-core')
const DEADLINE_MS = 30000
const VIEWS = [
    'Overview', 'QoS funnel', 'Topics', 'Fleet map', 'Devices', 'Messages', 'Latency', 'Faults', 'Log',
]

class Wrong extends Error {}
const hold = (condition, what) => {
    if (!condition) {
        throw new Wrong(what)
    }
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
async function please(what) {
    console.log(`please ${what}`)
    await lines.next()
}

const browser = await chromium.launch({ executablePath: given.chromium, args: ['--no-sandbox'] })
let failures = 0
let troubles = [] // what the console and the page said that they should not

async function step(name, run, needs = 'live') {
    if ((given.only && !name.includes(given.only)) || !given[needs]) {
        return
    }
    troubles = []
    try {
        await run()
        hold(troubles.length === 0, `the console has: ${troubles.join(' / ')}`)
        console.log(`ok|${name}`)
    } catch (problem) {
        ++failures
        const pages = browser.contexts().flatMap((each) => each.pages())
        if (given.pictures && pages.length !== 0) {
            await pages.at(-1).screenshot({ path: `${given.pictures}/failed-${failures}.png` })
        }
        console.log(`failed|${name}|${String(problem.stack ?? problem).replaceAll('\n', '\\n')}`)
    }
    for (const each of browser.contexts()) {
        await each.close()
    }
}

// A page of its own, with nothing kept from another.
async function open(url, { theme = 'dark', allowed = /^$/ } = {}) {
    const context = await browser.newContext({
        viewport: { width: 1280, height: 800 }, colorScheme: theme })
    const page = await context.newPage()
    page.setDefaultTimeout(DEADLINE_MS)
    page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type()) && !allowed.test(message.text())) {
            troubles.push(message.text())
        }
    })
    page.on('pageerror', (problem) => troubles.push(problem.stack))
    await page.addInitScript(() => {
        window.shifted = 0
        new PerformanceObserver((list) => {
            for (const each of list.getEntries()) {
                window.shifted += each.value
                window.shifts = [...window.shifts ?? [], ...each.sources.map((source) =>
                    source.node?.className || source.node?.nodeName)]
            }
        }).observe({ type: 'layout-shift', buffered: true })
    })
    await page.goto(url)
    return page
}

// Until so many more answers have come.
async function answers(page, count) {
    const before = await page.evaluate(() => window.fleetarium.answers)
    await page.waitForFunction(([from, more]) => window.fleetarium.answers >= from + more,
        [before, count])
}
const ready = (page) => page.getByRole('group', { name: 'Connected' }).getByText(/of /).waitFor()
const clock_of = (page) => page.locator('.clock').textContent()
const badge = (page, text) => page.locator('.badge', { hasText: text }).waitFor()
const number_of = async (locator) => Number((await locator.textContent()).replace(/[^0-9.]/g, ''))
const view = (page, name) => page.getByRole('main', { name }).waitFor()

// Texts that are hard to read: contrast below 4.5:1, or 3:1 where they are large.
function faint_texts() {
    const luminance = ([r, g, b]) => [r, g, b].map((each) => each / 255)
        .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
        .reduce((sum, each, i) => sum + each * [0.2126, 0.7152, 0.0722][i], 0)
    const parse = (text) => (text.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number)
    const behind = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const colour = parse(getComputedStyle(each).backgroundColor)
            if (colour.length < 4 || colour[3] === 1) {
                return colour
            }
        }
        return [255, 255, 255]
    }
    const out = []
    for (const each of document.querySelectorAll('body *')) {
        const has_text = [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim())
        if (!has_text || each.disabled || each.closest(':disabled, .skip, noscript, script, option')
            || each.getClientRects().length === 0 || each instanceof SVGElement) {
            continue
        }
        const style = getComputedStyle(each)
        const [a, b] = [luminance(parse(style.color)), luminance(behind(each))]
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
        const large = parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 600
        if (contrast < (large ? 3 : 4.5)) {
            out.push(`"${each.textContent.trim().slice(0, 30)}" ${contrast.toFixed(2)}`)
        }
    }
    return out
}

// ---------------------------------------------------------------------------------- a live run

for (const theme of ['dark', 'light']) {
    await step(`every view, by its key, ${theme}`, async () => {
        const page = await open(given.live, { theme })
        await ready(page)
        for (const [i, name] of VIEWS.entries()) {
            await page.keyboard.press(String(i + 1))
            await view(page, name)
            await answers(page, 4)
            const faint = await page.evaluate(faint_texts)
            hold(faint.length === 0, `${name}: hard to read: ${faint.slice(0, 5).join(', ')}`)
            if (given.pictures) {
                await page.screenshot({ path: `${given.pictures}/${theme}-${i + 1}.png` })
            }
        }
        await page.keyboard.press('t')
        const now = await page.evaluate(() => document.documentElement.dataset.theme)
        hold(now !== theme, `the key T leaves the page ${now}`)
        await page.reload()
        await page.locator('#views').waitFor()
        await page.keyboard.press('1')
        await ready(page)
        hold(await page.evaluate(() => document.documentElement.dataset.theme) === now,
            'the theme is forgotten when the page is loaded again')
    })
}

await step('numbers move, and nothing jumps about', async () => {
    const page = await open(given.live)
    await ready(page)
    await badge(page, 'LIVE')
    const before = await clock_of(page)
    const published = await page.evaluate(() => window.fleetarium.answers)
    await page.waitForFunction((text) => document.querySelector('.clock').textContent !== text, before)
    await answers(page, 20)
    hold(await page.evaluate(() => window.fleetarium.answers) > published, 'no answers come')
    const shifted = await page.evaluate(() => window.shifted)
    hold(shifted < 0.01, `the layout shifted by ${shifted}: `
        + await page.evaluate(() => String(window.shifts)))
})

await step('what a paused run shows is what the source says', async () => {
    const page = await open(given.live)
    await ready(page)
    await page.keyboard.press(' ')
    await badge(page, 'PAUSED')
    await answers(page, 4)
    const totals = await (await fetch(new URL('/api/totals', given.live))).json()
    const connected = page.getByRole('group', { name: 'Connected' }).locator('.value')
    hold(await number_of(connected) === totals.connected,
        `connected: ${await connected.textContent()}, the source says ${totals.connected}`)
    await page.keyboard.press('2')
    for (const qos of [0, 1, 2]) {
        for (const name of ['published', 'delivered']) {
            const meter = page.getByRole('meter', { name: new RegExp(`^${name} of QoS ${qos}`, 'i') })
            hold(Number(await meter.getAttribute('aria-valuenow')) === totals.qos[qos][name],
                `${name} of QoS ${qos}: ${await meter.getAttribute('aria-valuenow')}, `
                + `the source says ${totals.qos[qos][name]}`)
        }
    }
    const at = await clock_of(page)
    await page.keyboard.press('.')
    await page.waitForFunction((text) => document.querySelector('.clock').textContent !== text, at)
    await page.keyboard.press(' ')
    await badge(page, 'LIVE')
})

await step('a filter leaves what matches, and stands in the address', async () => {
    const page = await open(`${given.live}#/messages`)
    await view(page, 'Messages')
    const topics = page.locator('table.virtual tbody tr td:nth-child(4)')
    await topics.first().waitFor()
    const topic = await topics.first().textContent()
    await page.keyboard.press('/')
    await page.keyboard.type(topic)
    await page.keyboard.press('Enter')
    await page.waitForFunction((wanted) => {
        const all = [...document.querySelectorAll('table.virtual tbody tr td:nth-child(4)')]
        return all.length !== 0 && all.every((each) => each.textContent === wanted)
    }, topic)
    await page.waitForFunction((wanted) => location.hash.includes(wanted),
        `topic=${encodeURIComponent(topic).replaceAll('%20', '+')}`)
    await page.getByRole('combobox', { name: 'State', exact: true }).selectOption('refused')
    await page.waitForFunction(() => document.querySelectorAll(
        'table.virtual tbody tr:not(.spacer)').length === 0)
})

await step('one message, from its publisher to its last acknowledgement', async () => {
    const page = await open(`${given.live}#/messages?state=complete`)
    await page.keyboard.press('End')
    await page.locator('table.virtual tbody tr:not(.spacer)').nth(3).click()
    await page.getByRole('img', { name: /^Sequence of/ }).waitFor()
    await page.getByRole('table', { name: 'Deliveries' }).waitFor()
    await page.getByRole('tab', { name: 'Hex' }).click()
    await page.locator('.payload.hex').waitFor()
    const link = page.url()
    await page.keyboard.press('Escape')
    await page.getByRole('table', { name: 'Messages' }).waitFor()
    const other = await open(link)
    await other.getByRole('table', { name: 'Deliveries' }).waitFor()
    await other.keyboard.press('Escape')
    await other.getByRole('table', { name: 'Messages' }).waitFor()
})

await step('the topic tree opens level by level, and finds', async () => {
    const page = await open(`${given.live}#/topics`)
    await page.getByRole('button', { name: /^Open / }).first().click()
    await page.getByRole('button', { name: /^Close / }).first().waitFor()
    await page.getByRole('searchbox', { name: 'Search topics' }).fill('no such topic anywhere')
    await page.waitForFunction(() => document.querySelectorAll(
        'table.virtual tbody tr:not(.spacer)').length === 0)
    await page.getByRole('searchbox', { name: 'Search topics' }).fill('#')
    await page.locator('table.virtual tbody tr:not(.spacer)').first().click()
    await page.getByRole('region', { name: 'Topic', exact: true }).getByText('payload bytes').waitFor()
})

await step('the fleet map leads to a device', async () => {
    const page = await open(`${given.live}#/fleet`)
    await page.getByRole('img', { name: 'Fleet map' }).waitFor()
    await page.getByText(/a cell (is a device|stands for)/).waitFor()
    for (let i = 0; i < 12 && await page.getByText('a cell is a device').count() === 0; ++i) {
        await page.keyboard.press('+')
        await answers(page, 2)
    }
    await page.keyboard.press('ArrowDown')
    await page.getByRole('status').getByText(/its page/).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('table', { name: 'Events' }).waitFor()
    await page.getByText('client id').first().waitFor()
})

await step('a fault by hand is on the timeline, and heals', async () => {
    const page = await open(`${given.live}#/faults`)
    await page.getByRole('combobox', { name: 'Kind of fault' }).selectOption('partition')
    await page.getByRole('textbox', { name: 'share, 0 to 1' }).fill('2')
    await page.getByRole('button', { name: 'Begin', exact: true }).click()
    await page.getByRole('alert').getByText(/share/).waitFor()
    await page.getByRole('textbox', { name: 'share, 0 to 1' }).fill('0.5')
    await page.getByRole('button', { name: 'Begin', exact: true }).click()
    const row = page.getByRole('table', { name: 'Faults' }).getByRole('row', { name: /by hand/ }).first()
    await row.getByText('goes on').waitFor()
    const timeline = await (await fetch(new URL('/api/timeline', given.live))).json()
    hold(timeline.faults.some((each) => each.by_hand && each.kind === 'partition'),
        'the source knows nothing of the fault')
    await row.getByRole('button', { name: 'Heal' }).click()
    await row.getByText('goes on').waitFor({ state: 'detached' })
})

await step('the machine of a broker loses power by hand, and nothing acknowledged is lost', async () => {
    const page = await open(`${given.live}#/faults`)
    await page.getByRole('combobox', { name: 'Kind of fault' }).selectOption('broker_crash')
    await page.getByRole('textbox', { name: 'lasts' }).fill('2s')
    await page.getByRole('checkbox', { name: /power cut/ }).check()
    await page.getByRole('button', { name: 'Begin', exact: true }).click()
    const row = page.getByRole('table', { name: 'Faults' }).getByRole('row', { name: /broker.crash/ }).first()
    await row.waitFor()
    await row.getByText('goes on').waitFor({ state: 'detached' })
    const timeline = await (await fetch(new URL('/api/timeline', given.live))).json()
    hold(timeline.violations.length === 0, 'a synced file has lost what was acknowledged')
})

await step('a message by hand arrives, and a remark is written down', async () => {
    const page = await open(`${given.live}#/faults`)
    await page.getByRole('textbox', { name: 'Topic to publish to' }).fill('by/hand')
    await page.getByRole('textbox', { name: 'Payload to publish' }).fill('{"a": [1, true]}')
    await page.getByRole('button', { name: 'Publish' }).click()
    await page.getByText(/^Published at/).waitFor()
    await page.getByRole('textbox', { name: 'Remark' }).fill('here it was')
    await page.getByRole('button', { name: 'Remark' }).click()
    await page.getByText(/^Written down at/).waitFor()
    await page.goto(`${given.live}#/log`)
    await page.getByText('here it was').waitFor()
})

await step('looks back while the run goes on, zooms, and returns', async () => {
    const page = await open(given.live)
    await ready(page)
    await answers(page, 12)
    await page.keyboard.press('Home')
    await badge(page, 'BACK')
    await page.keyboard.press('+')
    await page.waitForFunction(() => /from=|window=/.test(location.hash))
    await page.keyboard.press('0')
    await page.keyboard.press('l')
    await badge(page, 'LIVE')
})

await step('the keys are told', async () => {
    const page = await open(given.live)
    await ready(page)
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor({ state: 'detached' })
})

// The modules that decode, against what the standards print.
await step('CBOR, Sparkplug and differences are decoded', async () => {
    const page = await open(given.live)
    const wrong = await page.evaluate(async () => {
        const { decode_cbor } = await import('/cbor.js')
        const { decode_sparkplug } = await import('/sparkplug.js')
        const { diff } = await import('/diff.js')
        const of = (hex) => Uint8Array.from(hex.match(/../g), (each) => parseInt(each, 16))
        const plain = (value) => value instanceof Map ? { map: [...value].map(([k, v]) => [plain(k), plain(v)]) }
            : value instanceof Uint8Array ? `h'${[...value].map((each) => each.toString(16).padStart(2, '0')).join('')}'`
                : Array.isArray(value) ? value.map(plain) : typeof value === 'bigint' ? `${value}n`
                    : Number.isNaN(value) ? 'NaN' : value === Infinity ? 'Infinity' : value === undefined ? 'undefined'
                        : value !== null && typeof value === 'object'
                            ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) : value
        // RFC 8949, appendix A
        const cases = [['00', 0], ['1818', 24], ['1903e8', 1000], ['1b000000e8d4a51000', 1000000000000],
            ['1bffffffffffffffff', '18446744073709551615n'], ['20', -1], ['3903e7', -1000],
            ['3bffffffffffffffff', '-18446744073709551616n'], ['f93c00', 1], ['f97bff', 65504],
            ['f90001', 5.960464477539063e-8], ['fa47c35000', 100000], ['fb3ff199999999999a', 1.1],
            ['f97c00', 'Infinity'], ['f97e00', 'NaN'], ['f4', false], ['f6', null], ['f7', 'undefined'],
            ['f8ff', { simple: 255 }], ['c11a514b67b0', { tag: 1, value: 1363896240 }], ['4401020304', "h'01020304'"],
            ['62c3bc', 'ü'], ['8301820203820405', [1, [2, 3], [4, 5]]],
            ['a201020304', { map: [[1, 2], [3, 4]] }], ['5f42010243030405ff', "h'0102030405'"],
            ['7f657374726561646d696e67ff', 'streaming'], ['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
            ['bf61610161629f0203ffff', { map: [['a', 1], ['b', [2, 3]]] }]]
        const out = []
        for (const [hex, expected] of cases) {
            const found = JSON.stringify(plain(decode_cbor(of(hex))))
            if (found !== JSON.stringify(expected)) {
                out.push(`cbor ${hex}: ${found}, expected ${JSON.stringify(expected)}`)
            }
        }
        for (const hex of ['18', '1c', 'ff', '5f00ff', '0000', '62c328', '81'.repeat(200) + '00', '1f']) {
            try {
                out.push(`cbor ${hex.slice(0, 20)} is none, and was read as ${plain(decode_cbor(of(hex)))}`)
            } catch {
                // as it should be
            }
        }
        // timestamp 1, seq 7; metric "t": alias 2, Int32, -5; metric alias 3: Double 1.5; one that is null
        const sparkplug = decode_sparkplug(of('0801' + '120f' + '0a0174' + '1002' + '2003' + '50fbffffff0f' + '3800'
            + '120d' + '1003' + '200a' + '69000000000000f83f' + '1208' + '0a026f66' + '200c' + '3801' + '1807'))
        const told = JSON.stringify([plain(sparkplug.timestamp), plain(sparkplug.seq), sparkplug.metrics.map((each) =>
            [each.name ?? '', plain(each.alias ?? ''), each.type, each.is_null ? 'null' : each.value])])
        const expected = JSON.stringify(['1n', '7n', [['t', '2n', 'Int32', -5], ['', '3n', 'Double', 1.5],
            ['of', '', 'String', 'null']]])
        if (told !== expected) {
            out.push(`sparkplug: ${told}, expected ${expected}`)
        }
        const changed = diff(['a', 'b', 'c', 'd'], ['a', 'x', 'c', 'd', 'e']).map((each) => each.join('')).join(' ')
        if (changed !== ' a -b +x  c  d +e') {
            out.push(`diff: ${changed}`)
        }
        return out
    })
    hold(wrong.length === 0, wrong.join('\n'))
})

await step('a page with nothing to redraw draws nothing', async () => {
    const page = await open(given.recording)
    await ready(page)
    // Three times in a row the same count of frames, a fifth of a second apart by the browser's clock.
    await page.waitForFunction(() => {
        const now = performance.now()
        window.seen ??= { frames: -1, at: now }
        if (window.seen.frames !== window.fleetarium.frames) {
            window.seen = { frames: window.fleetarium.frames, at: now }
        }
        return now - window.seen.at > 600
    })
}, 'recording')

// ----------------------------------------------------------------------------------- a recording

await step('a recording is scrubbed, played, looped, and takes no commands', async () => {
    const page = await open(given.recording)
    await ready(page)
    await badge(page, 'REC')
    const description = await (await fetch(new URL('/api/description', given.recording))).json()
    const end = await clock_of(page)
    const scrubber = page.getByRole('slider')
    const box = await scrubber.boundingBox()
    await page.mouse.click(box.x + box.width * 0.5, box.y + 15)
    await page.waitForFunction((text) => document.querySelector('.clock').textContent !== text, end)
    const middle = Number(await scrubber.getAttribute('aria-valuenow'))
    const range = [await scrubber.getAttribute('aria-valuemin'), await scrubber.getAttribute('aria-valuemax')].map(Number)
    hold(Math.abs(middle - (range[0] + range[1]) / 2) < (range[1] - range[0]) * 0.03,
        `half of the way is ${middle} in ${range}`)
    const there = await (await fetch(new URL(`/api/totals?at=${middle}`, given.recording))).json()
    const connected = page.getByRole('group', { name: 'Connected' }).locator('.value')
    await page.waitForFunction((wanted) => document.querySelector('[aria-label="Connected"] .value')
        .textContent.replaceAll(',', '') === String(wanted), there.connected).catch(async () => {
        throw new Wrong(`connected at ${middle}: ${await connected.textContent()}, the source says ${there.connected}`)
    })
    await page.keyboard.press(' ')
    await page.waitForFunction((from) => Number(document.querySelector('[role=slider]').ariaValueNow) > from, middle)
    await page.keyboard.press(' ')
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('o')
    await page.keyboard.press('End')
    await page.waitForFunction((text) => document.querySelector('.clock').textContent === text, end)
    await page.keyboard.press('8')
    hold(await page.getByRole('button', { name: 'Begin', exact: true }).isDisabled(), 'a recording takes faults')
    const reason = await page.getByRole('button', { name: 'Begin', exact: true }).getAttribute('title')
    hold(/recording/.test(reason), `the reason: ${reason}`)
    hold(description.kind === 'recording', `it calls itself ${description.kind}`)
}, 'recording')

// -------------------------------------------------------------------- what goes wrong with the feed

await step('a link to a view, an instant and a range shows them', async () => {
    const page = await open(`${given.recording}#/latency?at=1&from=0&until=2`)
    await view(page, 'Latency')
    await page.getByRole('combobox', { name: 'Range of the charts' }).waitFor()
    hold(await page.getByRole('combobox', { name: 'Range of the charts' }).inputValue() === 'zoom', 'not zoomed')
    await page.waitForFunction(() => /^00:00:01/.test(document.querySelector('.clock').textContent))
}, 'recording')

await step('an unknown device is a sentence, and the page goes on', async () => {
    const page = await open(`${given.live}#/devices?device=nobody`)
    await page.getByRole('alert').getByText(/nobody/).waitFor()
    await page.keyboard.press('1')
    await ready(page)
})

await step('it asks for a token, and tells when it is wrong', async () => {
    const allowed = /401|WebSocket connection to/
    const page = await open(given.guarded, { allowed })
    const dialog = page.getByRole('dialog', { name: 'Token' })
    await dialog.waitFor()
    await dialog.locator('input').fill('not-it')
    await page.keyboard.press('Enter')
    await page.getByText('does not know this token').waitFor()
    await dialog.locator('input').fill(given.token)
    await page.keyboard.press('Enter')
    await ready(page)
    const other = await open(`${given.guarded}#token=${encodeURIComponent(given.token)}`, { allowed })
    await ready(other)
    hold(!other.url().includes(given.token), `the token stays in the address: ${other.url()}`)
})

await step('it comes back after a restart', async () => {
    const page = await open(given.live, { allowed: /WebSocket|ERR_|Failed to load/ })
    await ready(page)
    const opened = await page.evaluate(() => window.fleetarium.opened)
    await please('stop')
    await badge(page, 'OFFLINE')
    await page.getByText(/Trying again/).waitFor()
    await please('start')
    await page.waitForFunction((before) => window.fleetarium.opened > before, opened)
    await answers(page, 6)
    await badge(page, 'LIVE')
    hold(await page.getByText(/Trying again/).count() === 0, 'the banner stays')
})

await browser.close()
console.log('finished')
process.exitCode = failures === 0 ? 0 : 1
process.stdin.destroy()
