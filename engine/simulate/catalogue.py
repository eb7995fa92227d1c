"""What the made-up marketplace sells: categories with their words, prices, seasons and habits.

All words and figures are our own invention; they are meant to look like a marketplace, not to be one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Category:
    """A leaf of the category tree and what its products have in common."""

    path: str  # with `/`, as in the contract
    nouns: tuple[str, ...]
    share: float  # of the catalogue, relative to the others
    price: float  # currency, median
    margin: float  # share of the price
    rate: float  # demand relative to the average category
    peak: float  # day of the year of the seasonal peak
    swing: float  # of log demand between average and peak
    weekend: float  # log of demand on Saturday and Sunday over other days
    gifts: float  # sensitivity to days on which presents are given
    feast: float  # … to days on which people cook
    deals: float  # … to sales events
    keep: float  # shelf life in days; 0: it does not spoil
    litres: float  # volume of one unit
    returned: float  # share of the units that come back


@dataclass(frozen=True, slots=True)
class Department:
    """Words that the categories of a department share."""

    brands: tuple[str, ...]
    kinds: tuple[str, ...]  # adjectives
    sizes: tuple[tuple[str, float], ...]  # words for a size, and its price relative to the smallest


DEPARTMENTS: dict[str, Department] = {
    "Grocery": Department(
        ("Hearth & Field", "Millbrook", "Nonna Vita", "Goldähre", "Little Larder", "Suncrest", "Copper Pot"),
        ("Organic", "Classic", "Wholegrain", "Low-Salt", "Spicy", "Fair", "Farmhouse"),
        (("250 g", 1.0), ("500 g", 1.8), ("1 kg", 3.2), ("pack of 6", 5.0)),
    ),
    "Fresh": Department(
        ("Dewfield", "Morning Acre", "Alpine Meadow", "Harbour Catch", "Green Cart"),
        ("Organic", "Ripe", "Mild", "Fresh", "Regional", "Premium"),
        (("200 g", 1.0), ("400 g", 1.8), ("family pack", 3.0)),
    ),
    "Beauty": Department(
        ("Lumea", "Petal & Clay", "Nordhavn", "Velvet Root", "Aqualis", "Soft Theory"),
        ("Hydrating", "Sensitive", "Vitamin C", "Unscented", "Repair", "Matte", "Daily"),
        (("50 ml", 1.0), ("150 ml", 1.6), ("300 ml", 2.4)),
    ),
    "Home": Department(
        ("Casa Lind", "Brightnook", "Oak & Loom", "Tidewater", "Everform", "Huskvik"),
        ("Bamboo", "Stainless Steel", "Foldable", "Ceramic", "Nordic", "Stackable", "Compact"),
        (("small", 1.0), ("medium", 1.5), ("large", 2.2), ("set of 4", 3.0)),
    ),
    "Garden": Department(
        ("Rootwell", "Green Hinge", "Fernway", "Solarsk"),
        ("Weatherproof", "Galvanised", "Self-Watering", "Telescopic", "Heavy-Duty"),
        (("S", 1.0), ("M", 1.6), ("L", 2.4)),
    ),
    "Electronics": Department(
        ("Voltara", "Kite Audio", "Pixelarc", "Omnicore", "Lynx One", "Quanta"),
        ("Wireless", "Fast", "Noise-Cancelling", "Slim", "Ultra", "Rechargeable"),
        (("black", 1.0), ("white", 1.0), ("Pro", 1.7), ("2-pack", 1.8)),
    ),
    "Toys": Department(
        ("Tumblewood", "Brixo", "Happy Otter", "Moonkite", "Kleiner Fuchs"),
        ("Wooden", "Magnetic", "Musical", "Glow-in-the-Dark", "Classic", "Junior"),
        (("age 3+", 1.0), ("age 6+", 1.2), ("deluxe set", 2.3)),
    ),
    "Fashion": Department(
        ("Marlow Lane", "Arden", "Fjordline", "Rosa Nove", "Stitch & Co", "Kestrel"),
        ("Cotton", "Merino", "Slim-Fit", "Waterproof", "Striped", "Recycled"),
        (("S", 1.0), ("M", 1.0), ("L", 1.0), ("XL", 1.0)),
    ),
    "Office": Department(
        ("Papermill 9", "Inkwell", "Deskmate", "Graphite Works"),
        ("Recycled", "Refillable", "A4", "Dotted", "Fine-Tip", "Premium"),
        (("single", 1.0), ("pack of 5", 4.2), ("pack of 20", 14.0)),
    ),
    "Pets": Department(
        ("Waggle", "Purrfield", "Wild Bowl", "Finn & Tail"),
        ("Grain-Free", "Chicken", "Salmon", "Adjustable", "Durable", "Senior"),
        (("small", 1.0), ("medium", 1.7), ("large", 3.1)),
    ),
    "Parts": Department(
        ("Torq", "Axelin", "Brennhof", "Gearwright"),
        ("Front", "Rear", "Universal", "Reinforced", "Left", "Right"),
        (("type A", 1.0), ("type B", 1.2), ("type C", 1.5)),
    ),
}


_NOUNS = {
    "Grocery/Pasta & Rice": ("Spaghetti", "Penne", "Risotto Rice", "Couscous"),
    "Grocery/Snacks": ("Crackers", "Salted Nuts", "Tortilla Chips", "Popcorn"),
    "Grocery/Chocolate": ("Dark Chocolate", "Pralines", "Nougat Bar", "Cocoa Drink"),
    "Grocery/Coffee & Tea": ("Coffee Beans", "Ground Coffee", "Green Tea", "Herbal Tea"),
    "Grocery/Drinks": ("Lemonade", "Sparkling Water", "Apple Juice", "Iced Tea"),
    "Fresh/Dairy": ("Yoghurt", "Mozzarella", "Butter", "Cheddar"),
    "Fresh/Bakery": ("Sourdough Bread", "Croissants", "Bagels", "Cinnamon Rolls"),
    "Fresh/Fruit & Salad": ("Strawberries", "Salad Mix", "Cherry Tomatoes", "Grapes"),
    "Fresh/Fish & Meat": ("Salmon Fillet", "Chicken Breast", "Minced Beef", "Prawns"),
    "Beauty/Skin Care": ("Face Cream", "Serum", "Cleansing Gel", "Hand Cream"),
    "Beauty/Sun Care": ("Sun Lotion", "After Sun Gel", "Lip Balm SPF 30"),
    "Beauty/Hair": ("Shampoo", "Conditioner", "Hair Mask", "Styling Foam"),
    "Beauty/Fragrance": ("Eau de Parfum", "Body Mist", "Cologne"),
    "Home/Kitchen": ("Frying Pan", "Storage Jar", "Chopping Board", "Mixing Bowl"),
    "Home/Bedding": ("Duvet Cover", "Pillow", "Fitted Sheet", "Throw Blanket"),
    "Home/Decoration": ("Vase", "Scented Candle", "Picture Frame", "Lantern"),
    "Home/Cleaning": ("Dish Soap", "Laundry Detergent", "Sponges", "Floor Cleaner"),
    "Home/Heating & Cooling": ("Desk Fan", "Oil Heater", "Humidifier", "Thermostat"),
    "Garden/Tools": ("Pruning Shears", "Rake", "Watering Can", "Garden Hose"),
    "Garden/Furniture": ("Folding Chair", "Parasol", "Side Table", "Hammock"),
    "Garden/Plants & Seeds": ("Flower Seeds", "Potting Soil", "Herb Kit", "Tulip Bulbs"),
    "Electronics/Audio": ("Headphones", "Earbuds", "Bluetooth Speaker", "Soundbar"),
    "Electronics/Charging": ("USB-C Cable", "Power Bank", "Wall Charger", "Charging Pad"),
    "Electronics/Smart Home": ("Smart Bulb", "Door Sensor", "Video Doorbell", "Smart Plug"),
    "Toys/Building": ("Building Blocks", "Marble Run", "Train Set", "Construction Kit"),
    "Toys/Plush": ("Plush Bear", "Plush Fox", "Cuddle Blanket"),
    "Toys/Outdoor": ("Bubble Machine", "Kite", "Water Blaster", "Scooter"),
    "Toys/Board Games": ("Card Game", "Puzzle", "Strategy Game", "Quiz Game"),
    "Fashion/T-Shirts": ("T-Shirt", "Polo Shirt", "Tank Top"),
    "Fashion/Knitwear": ("Pullover", "Cardigan", "Beanie", "Scarf"),
    "Fashion/Outdoor": ("Rain Jacket", "Softshell Jacket", "Hiking Socks", "Fleece"),
    "Office/Paper": ("Notebook", "Copy Paper", "Sticky Notes", "Envelopes"),
    "Office/Writing": ("Gel Pen", "Marker", "Fountain Pen", "Pencil"),
    "Pets/Food": ("Dry Dog Food", "Wet Cat Food", "Dog Treats", "Cat Snacks"),
    "Pets/Accessories": ("Dog Leash", "Cat Scratcher", "Pet Bed", "Feeding Bowl"),
    "Parts/Brakes": ("Brake Pads", "Brake Disc", "Brake Hose"),
    "Parts/Filters & Wipers": ("Oil Filter", "Cabin Filter", "Wiper Blades", "Spark Plug"),
}

# Columns: the fields of Category from `share` on, in its order.
# fmt: off
_FIGURES = (
    # path                    share price margin rate peak swing weekend gifts feast deals keep litres returned
    ("Grocery/Pasta & Rice",      3,  2.2,  0.28, 2.5,  20, 0.10,   0.25,    0,  0.3,  0.1,   0,   0.9,   0.001),
    ("Grocery/Snacks",            3,  2.8,  0.35, 2.2, 180, 0.15,   0.35,  0.1,  0.6,  0.2,   0,   1.5,   0.001),
    ("Grocery/Chocolate",         2,  3.4,  0.38, 1.6, 350, 0.45,   0.15,  1.2,  0.7,  0.2,   0,   0.4,   0.001),
    ("Grocery/Coffee & Tea",      2,  7.5,  0.34, 1.8,  10, 0.25,   0.05,  0.3,  0.3,  0.5,   0,   1.2,   0.002),
    ("Grocery/Drinks",            2,  1.9,  0.30, 2.4, 200, 0.40,   0.20,    0,  0.6,  0.1,   0,   2.5,   0.001),
    ("Fresh/Dairy",               2,  2.1,  0.25, 5.0, 150, 0.05,   0.20,    0,  0.5,    0,  14,   0.5,     0.0),
    ("Fresh/Bakery",            1.5,  2.6,  0.40, 6.0,   1, 0.05,   0.45,    0,  0.6,    0,   3,   2.0,     0.0),
    ("Fresh/Fruit & Salad",       2,  2.9,  0.32, 5.0, 175, 0.30,   0.20,    0,  0.3,    0,   5,   1.5,     0.0),
    ("Fresh/Fish & Meat",         1,  7.9,  0.26, 3.5, 355, 0.15,   0.35,    0,  1.0,    0,   4,   0.6,     0.0),
    ("Beauty/Skin Care",          3, 14.0,  0.48, 0.8, 350, 0.15,   0.10,  0.8,    0,  0.9,   0,   0.2,    0.02),
    ("Beauty/Sun Care",           1, 11.0,  0.45, 0.7, 190, 1.20,   0.15,    0,    0,  0.3,   0,   0.3,    0.01),
    ("Beauty/Hair",               2,  7.5,  0.42, 1.2, 120, 0.05,   0.05,  0.3,    0,  0.6,   0,   0.4,    0.01),
    ("Beauty/Fragrance",          1, 38.0,  0.50, 0.4, 348, 0.50,   0.15,  2.0,    0,  1.2,   0,   0.3,    0.02),
    ("Home/Kitchen",              4, 19.0,  0.42, 0.6, 340, 0.20,   0.15,  1.0,  0.3,  1.0,   0,   4.0,    0.03),
    ("Home/Bedding",              3, 29.0,  0.45, 0.4, 330, 0.35,   0.20,  0.6,    0,  1.2,   0,   9.0,    0.05),
    ("Home/Decoration",           4, 16.0,  0.52, 0.4, 335, 0.45,   0.20,  1.3,  0.2,  0.8,   0,   3.0,    0.03),
    ("Home/Cleaning",             2,  4.6,  0.30, 2.2,  80, 0.08,   0.10,    0,    0,  0.3,   0,   1.8,   0.002),
    ("Home/Heating & Cooling",    1, 49.0,  0.30, 0.3, 195, 0.90,   0.05,    0,    0,  0.9,   0,  18.0,    0.05),
    ("Garden/Tools",              2, 22.0,  0.40, 0.4, 130, 0.85,   0.40,  0.2,    0,  0.5,   0,   7.0,    0.03),
    ("Garden/Furniture",          1, 64.0,  0.38, 0.15, 150, 1.10,   0.40,  0.1,    0,  0.7,   0,  45.0,    0.05),
    ("Garden/Plants & Seeds",     2,  6.5,  0.44, 0.8, 105, 0.95,   0.35,  0.3,    0,  0.1,   0,   2.5,   0.005),
    ("Electronics/Audio",         3, 59.0,  0.24, 0.5, 345, 0.35,   0.10,  1.4,    0,  2.2,   0,   1.5,    0.06),
    ("Electronics/Charging",      3, 17.0,  0.40, 1.0, 340, 0.10,   0.05,  0.6,    0,  1.6,   0,   0.4,    0.03),
    ("Electronics/Smart Home",    2, 34.0,  0.28, 0.4, 330, 0.20,   0.10,  0.8,    0,  2.0,   0,   1.0,    0.05),
    ("Toys/Building",             2, 32.0,  0.36, 0.4, 343, 0.55,   0.20,  2.4,    0,  1.3,   0,   6.0,    0.02),
    ("Toys/Plush",              1.5, 18.0,  0.45, 0.5, 345, 0.45,   0.20,  2.2,    0,  0.7,   0,   4.0,    0.02),
    ("Toys/Outdoor",            1.5, 24.0,  0.40, 0.4, 170, 0.80,   0.35,  0.8,    0,  0.6,   0,   8.0,    0.03),
    ("Toys/Board Games",        1.5, 22.0,  0.42, 0.4, 346, 0.60,   0.30,  2.3,  0.2,  1.0,   0,   3.0,    0.01),
    ("Fashion/T-Shirts",          4, 19.0,  0.55, 0.5, 180, 0.45,   0.15,  0.4,    0,  0.9,   0,   0.6,    0.12),
    ("Fashion/Knitwear",          3, 42.0,  0.56, 0.3, 340, 0.85,   0.15,  1.0,    0,  1.0,   0,   1.8,    0.14),
    ("Fashion/Outdoor",           2, 69.0,  0.48, 0.25, 300, 0.50,   0.20,  0.5,    0,  1.0,   0,   2.5,    0.12),
    ("Office/Paper",              2,  5.5,  0.40, 1.2, 240, 0.40,  -0.60,  0.1,    0,  0.3,   0,   1.2,   0.005),
    ("Office/Writing",            2,  6.0,  0.46, 1.0, 238, 0.55,  -0.50,  0.4,    0,  0.3,   0,   0.2,   0.005),
    ("Pets/Food",                 2, 12.0,  0.28, 1.8,  30, 0.05,   0.10,  0.2,    0,  0.5,   0,   4.0,   0.004),
    ("Pets/Accessories",          2, 21.0,  0.45, 0.4, 345, 0.15,   0.15,  0.8,    0,  0.8,   0,   8.0,    0.04),
    ("Parts/Brakes",              2, 41.0,  0.35, 0.12, 290, 0.15,  -0.30,    0,    0,  0.1,   0,   2.5,    0.04),
    ("Parts/Filters & Wipers",    2, 13.0,  0.42, 0.35, 310, 0.30,  -0.20,    0,    0,  0.2,   0,   1.0,    0.02),
)
# fmt: on
CATEGORIES: tuple[Category, ...] = tuple(Category(path, _NOUNS[path], *figures) for path, *figures in _FIGURES)
LOCATIONS: tuple[str, ...] = (
    "airport", "coast", "east", "forest", "harbour", "hill", "lake", "meadow", "north", "park", "quarry", "river",
)  # fmt: skip


def location_name(number: int) -> str:
    """Return the name of a location; there is no end of them, and names sort as numbers do.

    Examples
    --------
    >>> location_name(0), location_name(30)
    ('airport', 'site-00031')
    """
    return LOCATIONS[number] if number < len(LOCATIONS) else f"site-{number + 1:05d}"
