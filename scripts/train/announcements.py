"""What a household hears a voice say: whole sentences, which recordings of single words do not stand for.

Nobody has recorded them, so they are judged without a reference. No digits and no abbreviations: it is the voice that
is judged here, and a listener's words are compared with these.
"""

ANNOUNCEMENTS: dict[str, tuple[str, ...]] = {
    "en": (
        "Good morning. It is seven o'clock, and breakfast is ready.",
        "The washing machine in the cellar is done.",
        "Somebody is at the front door.",
        "It will rain this afternoon, so please take an umbrella with you.",
        "The temperature in the living room is twenty-one degrees.",
        "Your timer for the pasta has ended.",
        "The kitchen window is still open. Shall I turn the heating down?",
        "Attention! Smoke was detected in the basement.",
        "Your next meeting starts in fifteen minutes.",
        "The battery of the vacuum cleaner is almost empty.",
        "Thank you. I have locked the garage door and turned off all the lights.",
        "Sorry, I did not understand that. Could you say it again?",
    ),
    "de": (
        "Guten Morgen. Es ist sieben Uhr, und das Frühstück ist fertig.",
        "Die Waschmaschine im Keller ist fertig.",
        "Es ist jemand an der Haustür.",
        "Heute Nachmittag regnet es, also nimm bitte einen Schirm mit.",
        "Im Wohnzimmer sind es einundzwanzig Grad.",
        "Der Wecker für die Nudeln ist abgelaufen.",
        "Das Küchenfenster ist noch offen. Soll ich die Heizung herunterdrehen?",
        "Achtung! Im Keller wurde Rauch gemeldet.",
        "Deine nächste Besprechung beginnt in fünfzehn Minuten.",
        "Der Akku des Staubsaugers ist fast leer.",
        "Danke. Ich habe das Garagentor geschlossen und alle Lichter ausgeschaltet.",
        "Das habe ich leider nicht verstanden. Kannst du es noch einmal sagen?",
    ),
    "zh": (
        "早上好。现在七点了，早饭已经准备好了。",
        "洗衣机已经洗好了。",
        "门口有人找您。",
        "今天下午会下雨，请带上雨伞。",
        "客厅的温度是二十一度。",
        "您的计时器时间到了。",
        "厨房的窗户还开着。要不要把暖气关小一点？",
        "注意！地下室发现烟雾。",
        "您的下一个会议将在十五分钟后开始。",
        "扫地机器人的电量快用完了。",
        "谢谢。我已经锁好了车库门，关掉了所有的灯。",
        "对不起，我没有听懂。请您再说一遍好吗？",
    ),
    "fr": (
        "Bonjour. Il est sept heures, et le petit déjeuner est prêt.",
        "La machine à laver a terminé.",
        "Il y a quelqu'un à la porte.",
        "Il fait vingt et un degrés dans le salon.",
        "La fenêtre de la cuisine est encore ouverte. Dois-je baisser le chauffage ?",
        "Attention ! De la fumée a été détectée au sous-sol.",
    ),
    "nl": (
        "Goedemorgen. Het is zeven uur en het ontbijt staat klaar.",
        "De wasmachine in de kelder is klaar.",
        "Er staat iemand voor de deur.",
        "In de woonkamer is het eenentwintig graden.",
        "Het keukenraam staat nog open. Zal ik de verwarming lager zetten?",
        "Let op! Er is rook ontdekt in de kelder.",
    ),
}
"""By primary language subtag."""
