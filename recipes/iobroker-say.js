// A script of ioBroker's JavaScript adapter: states as those of the adapter sayit, spoken by edge_tts.
// The MQTT adapter (mqtt.0) is a client of the broker that the box talks to.
// docs/recipes.md tells of it.

const BOX = 'edge_tts/speaker';
const BASE = '0_userdata.0.edge_tts.';

for (const [name, type, role] of [['text', 'string', 'text'], ['volume', 'number', 'level.volume'], ['clearQueue', 'boolean', 'button']]) {
    createState(BASE + name, type === 'number' ? 60 : type === 'boolean' ? false : '', { type, role, read: true, write: true });
}

function publish(topic, message) {
    sendTo('mqtt.0', 'sendMessage2Client', { topic: `${BOX}/${topic}`, message, retain: false });
}

// "Dinner is ready.", "!Fire!" (at once), "de;75;Das Essen ist fertig." (language; volume; text)
function request(line, volume) {
    const wanted = { text: line, volume, priority: 'message' };
    if (wanted.text.startsWith('!')) {
        wanted.priority = 'important';
        wanted.text = wanted.text.slice(1);
    }
    const parts = wanted.text.match(/^([a-z]{2}(?:-[A-Z]{2})?);(?:(\d{1,3});)?(.+)$/s);
    if (parts) {
        wanted.language = parts[1];
        wanted.volume = parts[2] === undefined ? volume : Number(parts[2]);
        wanted.text = parts[3];
    }
    return wanted;
}

on({ id: BASE + 'text', change: 'any', ack: false }, (event) => {
    if (event.state.val) {
        publish('say', JSON.stringify(request(String(event.state.val), getState(BASE + 'volume').val)));
    }
});

on({ id: BASE + 'clearQueue', val: true, ack: false }, () => {
    publish('clear', 'PRESS');
    setState(BASE + 'clearQueue', false, true);
});
