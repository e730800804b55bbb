# One line a station, in the order of the road. `lazy_loader` reads this file at run time.
from .schema import SchemaError as SchemaError, event_strength as event_strength
from .schema import validate_events as validate_events, validate_items as validate_items
from .interest_log import make_interest_log as make_interest_log
from .datasets import Dataset as Dataset, list_datasets as list_datasets
from .datasets import load_dataset as load_dataset
from .cleaning import CleanLog as CleanLog, clean_events as clean_events
from .splitting import Split as Split, random_split as random_split, time_split as time_split
from .text import class_tfidf as class_tfidf, item_text as item_text
from .text import keyword_matrix as keyword_matrix, user_text as user_text
from .encoder import TextEncoder as TextEncoder
from .profiles import InterestProfiler as InterestProfiler
from .engagement import tier_features as tier_features, tier_labels as tier_labels
from .tiers import TierClassifier as TierClassifier
from .clusters import InterestClusterer as InterestClusterer
from .recommend import CosineRecommender as CosineRecommender
from .recommend import PopularityRecommender as PopularityRecommender
from .metrics import evaluate_clusters as evaluate_clusters
from .metrics import evaluate_recommendations as evaluate_recommendations
from .plots import plot_interest_map as plot_interest_map
from .report import write_report as write_report
from .pipeline import InterestPipeline as InterestPipeline

__version__: str
