"""
Which weights can I trust?
==========================

2,930 houses sold in Ames, Iowa. A neuron gives each column a weight; its table says how sure it is,
and where a weight says nothing at all because other columns repeat its column.
"""

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknneuron import NeuronRegressor
from sknneuron.inspection import CoefDisplay, coef_table, diagnose

HERE = Path(__file__).parent if "__file__" in globals() else Path.cwd()
sales = pd.read_csv(HERE / "data" / "ames.csv")
names = {
    "area": "living area",
    "X1st.Flr.SF": "first floor",
    "X2nd.Flr.SF": "second floor",
    "Low.Qual.Fin.SF": "low quality area",
    "Garage.Cars": "garage cars",
    "Garage.Area": "garage area",
    "Overall.Qual": "quality",
    "Year.Built": "year built",
    "Full.Bath": "baths",
    "Bedroom.AbvGr": "bedrooms",
}
houses = sales[[*names, "price"]].rename(columns=names).dropna()
X, y = houses.drop(columns="price"), houses["price"].astype(float)
model = make_pipeline(StandardScaler(), NeuronRegressor(alpha=0))

# %%
# The living area is the sum of the floors: what one weight gains the others can lose, and the
# predictions stay the same. The doctor names the column that the others repeat.
model.fit(X, y)
diagnosis = diagnose(model, X, y)
print(diagnosis)

# %%
# In the table such weights have no errors, and the note says why.
table = coef_table(model, X, y, scale="original")
columns = ["feature", "weight", "std_error", "note"]
print(table[columns].round(2).to_string(index=False))

# %%
# Without it every weight has one: dollars per square foot, per car, per year.
X = X.drop(columns=[name for finding in diagnosis for name in finding.features])
model.fit(X, y)
table = coef_table(model, X, y, scale="original", cov_type="HC1")
print(table[["feature", "weight", "ci_low", "ci_high", "p_value"]].round(3).to_string(index=False))
CoefDisplay.from_estimator(model, X, y, scale="std", cov_type="HC1")
plt.show()

# %%
# Garage area and garage cars are all but the same column: each alone is sure of its weight,
# together they share it, and the intervals are wider. Prices of dear houses scatter more than those
# of cheap ones, so the errors are the robust ones (``HC1``); the plain ones would be too small.
plain = coef_table(model, X, y, scale="original").set_index("feature")["std_error"]
robust = table.set_index("feature")["std_error"]
print((robust / plain).round(2).rename("robust / plain").to_string())

# %%
# A penalty moves weights, and intervals about moved weights miss the truth: past a tenth of a
# standard error the table says so instead of printing a number.
penalised = make_pipeline(StandardScaler(), NeuronRegressor(alpha=0.1)).fit(X, y)
print(coef_table(penalised, X, y)["note"].iloc[0])

# %%
# And a weight is still not importance: it says what this neuron does with a column while all others
# stand still, which houses never do.
print(X.corr()["garage area"].round(2).to_string())
# sphinx_gallery_thumbnail_number = 1
