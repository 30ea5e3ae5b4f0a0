// ws and the fetch of Node.js judge the HTTP server: `node judge.mjs packages=DIR open=HOST:PORT
// guarded=HOST:PORT token=TEXT`. The server is http_peer, once without a token and once with one.

import { createRequire } from 'node:module'

const given = Object.fromEntries(process.argv.slice(2).map((word) => {
    const equals = word.indexOf('=')
    return [word.slice(0, equals), word.slice(equals + 1)]
}))
const WebSocket = createRequire(`${given.packages}/package.json`)('ws')

const within = (promise, what) => Promise.race([promise, new Promise((_, fail) => {
    setTimeout(() => fail(new Error(`nothing in 30 s: ${what}`)), 30000).unref()
})])

function expect(what, expected, got) {
    if (JSON.stringify(expected) !== JSON.stringify(got)) {
        throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`)
    }
}

// A WebSocket whose events can be awaited in order.
function connect(host, { path = '/echo/a', protocols = ['echo.v1'], ...options } = {}) {
    const socket = new WebSocket(`ws://${host}${path}`, protocols, options)
    const told = []
    let wake = () => {}
    const tell = (...event) => {
        told.push(event)
        wake()
    }
    socket.on('open', () => tell('open', socket.protocol))
    socket.on('message', (data, binary) => tell('message', binary ? [...data] : data.toString()))
    socket.on('pong', (data) => tell('pong', data.toString()))
    socket.on('close', (code, reason) => tell('close', code, reason.toString()))
    socket.on('unexpected-response', (_, answer) => tell('refused', answer.statusCode))
    socket.on('error', () => {})
    socket.next = async () => {
        while (told.length === 0) {
            await within(new Promise((resolve) => { wake = resolve }), path)
        }
        return told.shift()
    }
    return socket
}

async function connected(host, options) {
    const socket = connect(host, options)
    expect('opened', ['open', 'echo.v1'], await socket.next())
    expect('greeted', ['message', 'hello a'], await socket.next())
    return socket
}

const base64url = (text) => Buffer.from(text).toString('base64url')

const cases = {
    async 'messages come back as they went'() {
        const socket = await connected(given.open)
        for (const text of ['', 'café 🚚', 'x'.repeat(65536)]) {
            socket.send(text)
            expect('echo', ['message', text], await socket.next())
        }
        socket.send(Buffer.from([0, 255, 128]))
        expect('echo', ['message', [0, 255, 128]], await socket.next())
        socket.send('in ', { fin: false })
        socket.ping('between')
        socket.send('parts', { fin: true })
        expect('pong', ['pong', 'between'], await socket.next())
        expect('echo', ['message', 'in parts'], await socket.next())
        socket.close(4000, 'enough')
        expect('closed', ['close', 4000], (await socket.next()).slice(0, 2))
    },
    async 'the server ends with its code and reason'() {
        const socket = await connected(given.open)
        socket.send('close')
        expect('closed', ['close', 4001, 'as you wish'], await socket.next())
    },
    async 'a message too big is refused with 1009'() {
        const socket = await connected(given.open)
        socket.send('x'.repeat(65537))
        expect('closed', 1009, (await socket.next())[1])
    },
    async 'what is no UTF-8 is refused with 1007'() {
        const socket = await connected(given.open)
        socket.send(Buffer.from([0xff]), { binary: false })
        expect('closed', 1007, (await socket.next())[1])
    },
    async 'compression is not agreed on'() {
        const socket = await connected(given.open, { perMessageDeflate: true })
        expect('extensions', '', socket.extensions)
        socket.close()
    },
    async 'another origin, protocol or path is refused'() {
        const status = async (options) => (await connect(given.open, options).next())
        expect('origin', ['refused', 403], await status({ origin: 'https://evil.example' }))
        expect('protocol', ['refused', 400], await status({ protocols: ['mqtt'] }))
        expect('path', ['refused', 404], await status({ path: '/echo' }))
    },
    async 'the token opens, as a subprotocol and as a header'() {
        const bearer = `bearer.${base64url(given.token)}`
        const origin = `http://${given.guarded}`
        await connected(given.guarded, { protocols: ['echo.v1', bearer], origin })
        await connected(given.guarded, { headers: { authorization: `Bearer ${given.token}` } })
        for (const options of [{}, { protocols: ['echo.v1', `${bearer}x`] },
            { protocols: ['echo.v1', bearer], origin: 'http://evil.example', status: 403 }]) {
            expect('refused', ['refused', options.status ?? 401],
                await connect(given.guarded, options).next())
        }
    },
    async 'fetch gets a page without the token, all else with it'() {
        const page = await fetch(`http://${given.guarded}/`)
        expect('page', [200, '<p>hello'], [page.status, await page.text()])
        expect('etag', '"1"', page.headers.get('etag'))
        const known = await fetch(`http://${given.guarded}/`,
            { headers: { 'if-none-match': '"1"' } })
        expect('known', [304, ''], [known.status, await known.text()])
        const put = (headers) => fetch(`http://${given.guarded}/things/caf%C3%A9`,
            { method: 'PUT', body: '{}', headers: { 'content-type': 'application/json', ...headers } })
        expect('without', 401, (await put({})).status)
        const answer = await put({ authorization: `Bearer ${given.token}` })
        expect('with', [200, 'application/json', 'café={}'],
            [answer.status, answer.headers.get('content-type'), await answer.text()])
    },
    async 'an upgrade is asked for in words'() {
        const answer = await fetch(`http://${given.open}/echo/a`)
        expect('status', [426, 'websocket'], [answer.status, answer.headers.get('upgrade')])
        const other = await fetch(`http://${given.open}/things/a`)
        expect('allowed', [405, 'PUT'], [other.status, other.headers.get('allow')])
    },
}

let failed = 0
for (const [name, run] of Object.entries(cases)) {
    try {
        await run()
        console.log(`ok      ${name}`)
    } catch (error) {
        failed += 1
        console.log(`FAILED  ${name}\n        ${error.message}`)
    }
}
process.exit(failed === 0 ? 0 : 1)
