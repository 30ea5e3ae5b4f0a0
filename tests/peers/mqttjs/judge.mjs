// MQTT.js judges a broker: `node judge.mjs KEY=VALUE...`. judging/programs.py starts it, says where
// the broker is, and reads what it prints.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const given = Object.fromEntries(process.argv.slice(2).map((word) => {
    const equals = word.indexOf('=')
    return [word.slice(0, equals), word.slice(equals + 1)]
}))
const mqtt = createRequire(`${given.packages}/package.json`)('mqtt')

const DEADLINE_MS = 30000
const VERSIONS = { '3.1.1': 4, '5.0': 5 }

class Wrong extends Error {}

const shown = (value) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return text === undefined ? 'nothing' : text.length <= 700 ? text : `${text.slice(0, 650)}...`
}

function expect(sent, expected, got) {
    if (shown(expected) !== shown(got)) {
        throw new Wrong(`sent:     ${sent}\nexpected: ${shown(expected)}\ngot:      ${shown(got)}`)
    }
}

// Whatever the promise gives, or Wrong after the deadline.
function within(sent, expected, promise, got = () => 'nothing', limit = DEADLINE_MS) {
    let timer
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Wrong(`sent:     ${sent}\nexpected: ${expected} within `
            + `${limit} ms\ngot:      ${shown(got())}`)), limit)
    })
    return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

// A client, with what it was told.
class Peer {
    static open_ones = new Set()

    constructor(place, options = {}, url = place.url) {
        this.place = place
        this.messages = []
        this.connections = 0
        this.waiting = []
        this.v5 = place.version === '5.0'
        this.client = mqtt.connect(url, {
            protocolVersion: VERSIONS[place.version],
            reconnectPeriod: 0,
            connectTimeout: DEADLINE_MS,
            ...(place.secure ? { ca: readFileSync(given.ca) } : {}),
            ...options,
        })
        Peer.open_ones.add(this)
        this.client.on('message', (topic, payload, packet) => {
            this.messages.push({ topic, payload, packet })
            this.#changed()
        })
        this.client.on('connect', (connack) => {
            this.connack = connack
            this.connections += 1
            this.#changed()
        })
        this.client.on('close', () => {
            this.closed = true
            this.#changed()
        })
        this.client.on('disconnect', (packet) => {
            this.farewell = packet
            this.#changed()
        })
        this.client.on('error', (error) => {
            this.error = error
            this.#changed()
        })
    }

    #changed() {
        const waiting = this.waiting
        this.waiting = []
        waiting.forEach((wake) => wake())
    }

    async wait(sent, expected, ready, limit = DEADLINE_MS) {
        let late = false
        const look = async () => {
            while (!late && !ready()) {
                await new Promise((wake) => this.waiting.push(wake))
            }
        }
        try {
            await within(sent, expected, look(), () => this.state(), limit)
        } finally {
            late = true
            this.#changed()
        }
    }

    state() {
        return `${this.messages.length} messages, the last `
            + `${shown(this.messages.slice(-3).map(brief))}, ${this.connections} connections`
            + `${this.closed ? ', closed' : ''}${this.error ? `, ${this.error}` : ''}`
    }

    async open(code = 0) {
        await this.wait('CONNECT', 'CONNACK',
            () => this.connections > 0 || this.error || this.closed)
        expect('CONNECT', code, this.error ? this.error.code : this.connack.reasonCode ?? 0)
        return this
    }

    // The codes of SUBACK. MQTT.js takes a refusal for an error of the whole.
    async subscribe(filters, options = { qos: 2 }) {
        try {
            const granted = await within(`SUBSCRIBE ${filters}`, 'SUBACK',
                this.client.subscribeAsync(filters, options))
            return granted.map((each) => each.qos)
        } catch (error) {
            if (error instanceof Wrong) { throw error }
            return error.packet?.granted ?? [error.code ?? String(error)]
        }
    }

    // The code of the acknowledgement.
    async publish(topic, payload, options = { qos: 1 }) {
        try {
            const answer = await within(`PUBLISH ${topic}`, 'its acknowledgement',
                this.client.publishAsync(topic, payload, options))
            return answer?.reasonCode ?? 0
        } catch (error) {
            if (error instanceof Wrong) { throw error }
            return error.code ?? String(error)
        }
    }

    async received(count, sent, limit = DEADLINE_MS) {
        await this.wait(sent, `${count} messages`, () => this.messages.length >= count, limit)
        return this.messages.slice(0, count)
    }

    async briefs(count, sent) {
        return (await this.received(count, sent)).map(brief)
    }

    // As if the network was gone: no DISCONNECT.
    async lose() {
        this.client.stream.destroy()
        await this.wait('a lost connection', 'its end', () => this.closed)
    }

    async close() {
        Peer.open_ones.delete(this)
        await within('DISCONNECT', 'the end', this.client.endAsync())
    }
}

function brief({ topic, payload, packet }) {
    const text = payload.length > 100 ? `${payload.length} bytes` : payload.toString()
    return `${topic} ${text} ${packet.qos}${packet.retain ? ' retained' : ''}`
}

const keep = (place, clientId) => place.version === '5.0'
    ? { clientId, clean: false, properties: { sessionExpiryInterval: 1000 } }
    : { clientId, clean: false }

// ------------------------------------------------------------------------------ both versions

const stories = {
    async 'QoS 0, 1, 2 to subscriptions at QoS 0, 1, 2'(place) {
        const peer = await new Peer(place).open()
        const topic = place.named('qos/мир')
        const expected = []
        for (const allowed of [2, 1, 0]) {
            expect('SUBSCRIBE', [allowed],
                await peer.subscribe([`${topic}/${allowed}`], { qos: allowed }))
            for (const qos of [0, 1, 2]) {
                await peer.publish(`${topic}/${allowed}`, Buffer.from('a\0ü'), { qos })
                expected.push(`${topic}/${allowed} a\0ü ${Math.min(qos, allowed)}`)
                expect('PUBLISH', expected, await peer.briefs(expected.length, 'PUBLISH'))
            }
        }
    },

    async 'an empty payload, and one of one MiB at each QoS'(place) {
        const peer = await new Peer(place).open()
        await peer.subscribe([place.named('size')])
        let count = 0
        for (const qos of [0, 1, 2]) {
            for (const sent of [Buffer.alloc(0), Buffer.alloc(1 << 20, `${qos}abc`)]) {
                await peer.publish(place.named('size'), sent, { qos })
                const got = (await peer.received(++count, 'PUBLISH'))[count - 1]
                expect(`${sent.length} bytes at QoS ${qos}`, [sent.length, true, qos],
                    [got.payload.length, got.payload.equals(sent), got.packet.qos])
            }
        }
    },

    async 'a retained message stays until it is cleared'(place) {
        const topic = place.named('kept')
        const sender = await new Peer(place).open()
        await sender.publish(topic, 'old', { qos: 1, retain: true })
        await sender.publish(topic, 'new', { qos: 1, retain: true })
        const early = await new Peer(place).open()
        await early.subscribe([topic])
        await early.received(1, 'SUBSCRIBE')
        await sender.publish(topic, '', { qos: 1, retain: true })
        expect('retained, subscribed, cleared', [`${topic} new 1 retained`, `${topic}  1`],
            await early.briefs(2, 'cleared'))
        const late = await new Peer(place).open()
        await late.subscribe([topic])
        await late.publish(topic, 'live')
        expect('cleared, then SUBSCRIBE', [`${topic} live 1`], await late.briefs(1, 'PUBLISH'))
    },

    async "a lost client's will is published, a disconnected client's is not"(place) {
        const topic = place.named('will')
        const peer = await new Peer(place).open()
        await peer.subscribe([`${topic}/#`])
        const polite = await new Peer(place,
            { will: { topic: `${topic}/polite`, payload: 'no', qos: 1 } }).open()
        await polite.close()
        const lost = await new Peer(place,
            { will: { topic: `${topic}/lost`, payload: Buffer.from('gone'), qos: 2 } }).open()
        await lost.lose()
        expect('one that disconnected, one that was lost', [`${topic}/lost gone 2`],
            await peer.briefs(1, 'a lost connection'))
    },

    async 'a kept session gets what was published while its client was away'(place) {
        const topic = place.named('away')
        const first = await new Peer(place, keep(place, topic)).open()
        expect('CONNECT of a new session', false, first.connack.sessionPresent)
        await first.subscribe([topic])
        await first.close()
        const sender = await new Peer(place).open()
        const expected = []
        for (let number = 0; number < 100; ++number) {
            const qos = 1 + number % 2
            await sender.publish(topic, String(number), { qos })
            expected.push(`${topic} ${number} ${qos}`)
        }
        const second = await new Peer(place, keep(place, topic)).open()
        expect('CONNECT of a kept session', true, second.connack.sessionPresent)
        const got = await second.briefs(100, 'CONNECT')
        for (const qos of ['1', '2']) {  // MQTT.js hands out QoS 2 later, at PUBREL
            const those = (briefs) => briefs.filter((each) => each.endsWith(qos))
            expect(`100 messages while away, those of QoS ${qos}`, those(expected), those(got))
        }
        await second.close()
        const last = await new Peer(place, { clientId: topic, clean: true }).open()
        expect('CONNECT with clean start', false, last.connack.sessionPresent)
    },

    async 'a second client of the same id takes over'(place) {
        const clientId = place.named('twin')
        const first = await new Peer(place, { clientId }).open()
        const second = await new Peer(place, { clientId }).open()
        await first.wait('CONNECT with the id of another', 'the end', () => first.closed)
        if (place.version === '5.0') {
            expect('CONNECT with the id of another', 0x8E, first.farewell?.reasonCode)
        }
        await second.subscribe([clientId])
        await second.publish(clientId, 'x')
        await second.received(1, 'a message to itself')
    },

    async 'UNSUBSCRIBE ends it'(place) {
        const topic = place.named('ends')
        const peer = await new Peer(place).open()
        await peer.subscribe([topic, `${topic}/stays`])
        await within('UNSUBSCRIBE', 'UNSUBACK', peer.client.unsubscribeAsync([topic]))
        await peer.publish(topic, 'x')
        await peer.publish(`${topic}/stays`, 'y')
        expect('UNSUBSCRIBE', [`${topic}/stays y 1`], await peer.briefs(1, 'PUBLISH'))
    },
}

// ---------------------------------------------------------------------------- version 5 only

const stories_of_5 = {
    async 'properties of a message and of a will arrive as they were sent'(place) {
        const topic = place.named('props')
        const peer = await new Peer(place).open()
        await peer.subscribe([topic], { qos: 2, properties: { subscriptionIdentifier: 300 } })
        const properties = {
            payloadFormatIndicator: true,
            contentType: 'text/plain',
            responseTopic: 'answers',
            correlationData: Buffer.from([0, 1, 2]),
            userProperties: { b: ['1', '3'], a: 'ü' },
        }
        await peer.publish(topic, 'x', { qos: 2, properties })
        const lost = await new Peer(place,
            { will: { topic, payload: 'gone', qos: 1, properties } }).open()
        await lost.lose()
        for (const { packet } of await peer.received(2, 'PUBLISH, and a will')) {
            const { subscriptionIdentifier, ...got } = packet.properties
            expect('subscription identifier', 300, [subscriptionIdentifier].flat()[0])
            for (const name of Object.keys(properties)) {
                expect(`${packet.payload} with ${name}`, properties[name], got[name])
            }
        }
    },

    async 'no local, retain as published and retain handling are kept'(place) {
        const topic = place.named('options')
        const other = await new Peer(place).open()
        await other.publish(topic, 'kept', { qos: 1, retain: true })
        const peer = await new Peer(place).open()
        await peer.subscribe([topic], { qos: 1, nl: true, rap: true, rh: 2 })
        await peer.publish(topic, 'mine')
        await other.publish(topic, '', { qos: 1, retain: true })
        expect('no local, retain as published, retain handling 2', [`${topic}  1 retained`],
            await peer.briefs(1, 'PUBLISH'))
    },

    async 'topic aliases in both directions'(place) {
        const topic = place.named('alias')
        const peer = await new Peer(place, { properties: { topicAliasMaximum: 5 } }).open()
        await peer.subscribe([`${topic}/#`])
        const sender = await new Peer(place, { autoAssignTopicAlias: true }).open()
        expect('CONNECT: a topic alias maximum in CONNACK', true,
            sender.connack.properties?.topicAliasMaximum > 0)
        const expected = []
        for (let round = 0; round < 3; ++round) {
            for (let number = 0; number < 12; ++number) {
                await sender.publish(`${topic}/${number}`, `${round}`)
                expected.push(`${topic}/${number} ${round} 1`)
            }
        }
        expect('36 messages to 12 topics', expected, await peer.briefs(36, 'PUBLISH'))
    },

    async 'a shared subscription deals each message to one member'(place) {
        const topic = place.named('jobs')
        const members = []
        for (let number = 0; number < 3; ++number) {
            members.push(await new Peer(place).open())
            await members[number].subscribe([`$share/crew/${topic}`, `${topic}/end`], { qos: 1 })
        }
        const expected = []
        for (let number = 0; number < 90; ++number) {
            await members[0].publish(topic, String(number))
            expected.push(number)
        }
        await members[0].publish(`${topic}/end`, 'end')
        const got = []
        for (const member of members) {
            const has_end = () => member.messages.some(({ topic: name }) => name.endsWith('/end'))
            await member.wait('90 jobs, then an end', 'the end', has_end)
            const own = member.messages.slice(0, -1).map(({ payload }) => Number(payload))
            expect('90 jobs to three: some to each', true, own.length > 0)
            got.push(...own)
        }
        expect('90 jobs to three', expected, got.sort((left, right) => left - right))
    },

    async 'a request with response topic and correlation data is answered'(place) {
        const server = await new Peer(place).open()
        const client = await new Peer(place).open()
        await server.subscribe([place.named('service')])
        await client.subscribe([place.named('answers')])
        await client.publish(place.named('service'), '2+3', { qos: 1, properties: {
            responseTopic: place.named('answers'), correlationData: Buffer.from('\0nr') } })
        const [{ packet: { properties: asked } }] = await server.received(1, 'a request')
        await server.publish(asked.responseTopic, '5',
            { qos: 1, properties: { correlationData: asked.correlationData } })
        const [answer] = await client.received(1, 'an answer')
        expect('an answer', ['5', '\0nr'],
            [answer.payload.toString(), answer.packet.properties.correlationData.toString()])
    },

    async 'acknowledgements tell what became of it'(place) {
        const topic = place.named('told')
        const peer = await new Peer(place, { clientId: '' }).open()
        const codes = []  // MQTT.js keeps them to itself unless they are errors
        peer.client.on('packetreceive', ({ cmd, reasonCode }) => codes.push(`${cmd} ${reasonCode}`))
        expect('CONNECT without an id: an assigned one', true,
            Boolean(peer.connack.properties?.assignedClientIdentifier))
        await peer.publish(topic, 'x', { qos: 1 })
        await peer.publish(topic, 'x', { qos: 2 })
        expect('PUBLISH that nobody subscribed to', ['puback 16', 'pubrec 16', 'pubcomp 0'], codes)
        await peer.subscribe([topic])
        codes.length = 0
        await peer.publish(topic, 'x', { qos: 1 })
        expect('PUBLISH to a subscriber', true, codes.includes('puback 0'))
        const answer = await within('UNSUBSCRIBE', 'UNSUBACK',
            peer.client.unsubscribeAsync([topic, `${topic}/never`]))
        expect('UNSUBSCRIBE of one that is there, one that is not', [0, 0x11], answer?.granted)
    },
}

// ------------------------------------------------------------------ once, and who may do what

const stories_of_tcp = {
    async 'QoS 1 and 2 over a connection that is lost again and again'(place) {
        const topic = place.named('cut')
        const peer = await new Peer(place).open()
        await peer.subscribe([topic])
        const sender = await new Peer(place,
            { ...keep(place, topic), reconnectPeriod: 20, resubscribe: false }).open()
        const expected = []
        const answers = []
        for (let batch = 0; batch < 5; ++batch) {
            for (let number = 0; number < 100; ++number) {
                const text = `${batch}-${number}`
                answers.push(sender.client.publishAsync(topic, text, { qos: 1 + number % 2 })
                    .catch((error) => {
                        // PUBREL again after a connection was lost: "not an error during recovery".
                        if (error.code !== 0x92) { throw error }
                    }))
                answers.at(-1).catch(() => {})  // awaited below, with the others
                expected.push(text)
            }
            await peer.received(peer.messages.length + 1, 'a batch')
            const connections = sender.connections
            sender.client.stream.destroy()
            await sender.wait('a lost connection', 'another',
                () => sender.connections > connections)
        }
        await within('500 messages', 'an acknowledgement of each', Promise.all(answers))
        const of = (qos) => peer.messages.filter(({ packet }) => packet.qos === qos)
            .map(({ payload }) => payload.toString()).sort()
        const missing = () => expected.filter((each) =>
            !peer.messages.some(({ payload }) => payload.toString() === each))
        await peer.wait('500 messages', 'all of them', () => missing().length === 0)
        expect('250 messages at QoS 2: each once', expected.filter((_, i) => i % 2).sort(), of(2))
        expect('250 messages at QoS 1: each at least once', expected.filter((_, i) => i % 2 === 0)
            .sort(), [...new Set(of(1))])
    },

    async 'ten thousand messages at QoS 1, in order'(place) {
        const topic = place.named('many')
        const peer = await new Peer(place).open()
        const sender = await new Peer(place).open()
        await peer.subscribe([topic], { qos: 1 })
        const answers = []
        for (let number = 0; number < 10000; ++number) {
            answers.push(sender.client.publishAsync(topic, String(number), { qos: 1 }))
        }
        const got = (await peer.received(10000, '10,000 messages', 60000))
            .map(({ payload }) => Number(payload))
        const first = got.findIndex((number, index) => number !== index)
        expect('0 ... 9999: the first that is not in its place', -1, first)
        await within('10,000 messages', 'an acknowledgement of each', Promise.all(answers))
    },

    async 'a wrong password, an unknown user and no user are refused'(place) {
        const bad = place.version === '5.0' ? 0x86 : 4
        const nobody = place.version === '5.0' ? 0x87 : 5
        const open = (username, password, code) =>
            new Peer(place, username ? { username, password } : {}, given.guarded).open(code)
        await open(given.user, 'wrong', bad)
        await open('stranger', given.password, bad)
        await open('', '', nobody)
        await open(given.user, given.password, 0)
    },

    async 'the access file lets through what it names and nothing else'(place) {
        const v5 = place.version === '5.0'
        const peer = await new Peer(place, { clientId: 'box-1', username: given.user,
            password: given.password }, given.guarded).open()
        const own = `by_name/${given.user}/x`
        expect('SUBSCRIBE to own topics', [1, 1],
            await peer.subscribe(['by_id/box-1/#', own], { qos: 1 }))
        expect('SUBSCRIBE to others', [v5 ? 0x87 : 0x80],
            await peer.subscribe(['by_id/box-2/#'], { qos: 1 }))
        expect('PUBLISH to others', v5 ? 0x87 : 0, await peer.publish('by_id/box-2/x', 'x'))
        expect('PUBLISH to what only may be read', v5 ? 0x87 : 0,
            await peer.publish('only_read/x', 'x'))
        await peer.publish(own, 'x')
        expect('PUBLISH to an own topic', [`${own} x 1`], await peer.briefs(1, 'PUBLISH'))
    },
}

const stories_of_tls = {
    async 'a client is known by its certificate, and needs one'(place) {
        const certificate = { cert: readFileSync(given.cert), key: readFileSync(given.key) }
        const peer = await new Peer(place, certificate, given.mutual).open()
        const own = `by_name/${given.device}/x`
        await peer.subscribe([own])
        await peer.publish('by_name/other/x', 'x')
        await peer.publish(own, 'x')
        expect("to another's topic, then to an own one", [`${own} x 1`],
            await peer.briefs(1, 'PUBLISH'))
        const stranger = new Peer(place, {}, given.mutual)
        await stranger.wait('CONNECT without a certificate', 'the end',
            () => stranger.error || stranger.closed || stranger.connections)
        expect('CONNECT without a certificate: connections', 0, stranger.connections)
    },
}

// ----------------------------------------------------------------------------- with the driver

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

async function ask(what) {
    console.log(`please ${what}`)
    const { value } = await answers.next()
    if (value !== 'done') { throw new Error(`the driver did not "${what}"`) }
}

async function judge(place, name, story) {
    if (!`${place.transport} ${place.version} ${name}`.includes(given.only ?? '')) { return }
    const where = `${place.transport}|${place.version}|${name}`
    try {
        await story(place)
        console.log(`ok|${where}`)
    } catch (problem) {
        const text = problem instanceof Wrong ? problem.message : problem.stack
        console.log(`failed|${where}|${text.replaceAll('\n', '\\n')}`)
    }
    const left = [...Peer.open_ones]
    Peer.open_ones.clear()
    await Promise.all(left.map((peer) => peer.client.endAsync(true)))
}

const places = ['tcp', 'tls', 'ws', 'wss', 'unix'].filter((each) => given[each])
    .flatMap((transport) => Object.keys(VERSIONS).map((version) => ({
        transport,
        version,
        url: given[transport].replace('unix://', 'mqtt+unix://'),
        secure: ['tls', 'wss'].includes(transport),
        named: (name) => `${name}-${transport}-${version}`,
    })))
for (const place of places) {
    const told = [stories, place.version === '5.0' ? stories_of_5 : {},
        { tcp: stories_of_tcp, tls: stories_of_tls }[place.transport] ?? {}]
    for (const [name, story] of told.flatMap(Object.entries)) {
        await judge(place, name, story)
    }
}

const last = []
for (const place of places) { last.push(await new Peer(place).open()) }
Peer.open_ones.clear()
await ask('stop')
for (const peer of last) {
    await judge(peer.place, 'SIGTERM ends the connection as it should', async (place) => {
        await peer.wait('SIGTERM', 'the end', () => peer.closed)
        if (place.version === '5.0') { expect('SIGTERM', 0x8B, peer.farewell?.reasonCode) }
    })
}
console.log('finished')
process.exit(0)
