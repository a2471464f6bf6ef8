-- Bluetooth without anybody logged in, for WirePlumber 0.4 (Debian 12): by itself it gives Bluetooth only to who sits there.
-- /etc/wireplumber/bluetooth.lua.d/51-bluetooth.lua
bluez_monitor.properties["with-logind"] = false
